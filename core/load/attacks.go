package load

import (
	"fmt"
	"strings"
)

// attack is what strangers do to the gateway while others use it.
type attack struct {
	name  string
	conns int    // that they have open at once, as far as the gateway lets them
	rate  int    // how many they open a second, at most
	text  string // what each sends at once; number in it stands for six digits of its own
	drip  string // of this a byte a second follows, over and over; "" for nothing
}

// number stands for the number of a connection in an attack's text.
const number = "NNNNNN"

// attacks are measured one after the other. The first is none.
func attacks(t target) []attack {
	const many, often = 256, 2000
	host := "Host: " + t.host + "\r\n"
	request := func(line, rest string) string { return line + " HTTP/1.1\r\n" + host + rest }
	upgrade := string(t.appendUpgrade(nil, "stranger-"+number, false))
	return []attack{
		{name: "none"},
		{name: "half-open", conns: 10_000, rate: 10_000},
		{name: "slow headers", conns: 10_000, rate: 10_000, text: request("GET "+t.path+"clientId=slow", "X: "), drip: "x"},
		{name: "slow bodies", conns: 10_000, rate: 10_000, text: request("POST /healthz", "Content-Length: 4000\r\n\r\n"), drip: " "},
		{name: "large headers", conns: many, rate: often, text: request("GET /healthz", "X: "+strings.Repeat("x", 16<<10)+"\r\n\r\n")},
		{name: "smuggling", conns: many, rate: often, text: request("POST /healthz", "Content-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nX: ")},
		{name: "paths", conns: many, rate: often, text: request("GET /console/..%2f..%2f%c0%ae%00/etc/passwd?a=%zz&a=b", "\r\n")},
		{name: "publications", conns: many, rate: often, text: request("POST /v1/publish?wait=disk", "Authorization: Bearer sk_"+strings.Repeat("x", 43)+"\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n"+strings.Repeat("[", 4000))},
		{name: "tokens", conns: many, rate: often, text: strings.Replace(upgrade, "clientId=", "token="+strings.Repeat("x", 8<<10)+"&clientId=", 1)},
		{name: "broken frames", conns: many, rate: often, text: upgrade + "\x81\xfe\xff\xff" + strings.Repeat("\xff{", 500)},
	}
}

// numbered is the text of connection n.
func (a *attack) numbered(n int) string {
	return strings.ReplaceAll(a.text, number, fmt.Sprintf("%06d", n%1_000_000))
}
