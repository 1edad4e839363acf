// Package core holds the words of the domain: Message, Session, Target, Stage,
// Pipeline, Plugin. It imports the standard library only, knows nothing of
// sockets, HTTP or Lua, and every other package of Stratix may import it.
package core
