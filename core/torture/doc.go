// Package torture proves that a gateway keeps what it has acknowledged. Clients
// over real sockets write down what they sent, what they were told and what they
// received, while the gateway is killed, its connections are cut, its disk fails
// and its scripts change. A Checker holds that history against the rules of the
// wire protocol; its verdict is a function of the history alone.
package torture
