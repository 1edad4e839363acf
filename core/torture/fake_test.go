package torture

import (
	"bufio"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
)

// The fake gateway is this test binary, run with fakeEnv. It keeps messages in a
// file of lines, in the simplest way that is right, and does wrong what the
// variable names.
const fakeEnv = "STRATIX_TORTURE_FAKE"

const honest = "honest"

func TestMain(m *testing.M) {
	if misdeed := os.Getenv(fakeEnv); misdeed != "" {
		os.Exit(runFake(misdeed, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// line is one line of the file: a session, a join, a message or an ack.
type line struct {
	Kind    string
	Client  string
	Epoch   string         `json:",omitempty"`
	Groups  []string       `json:",omitempty"`
	ID      string         `json:",omitempty"`
	Seqs    map[string]int `json:",omitempty"` // by recipient
	Data    string         `json:",omitempty"`
	Expires int64          `json:",omitempty"` // unix ms
	Seq     int            `json:",omitempty"`
	Also    [][2]int       `json:",omitempty"`
}

type fake struct {
	misdeed string
	file    *os.File
	scripts string

	mu       sync.Mutex
	sessions map[string]*fakeSession
	conns    map[string]*fakeConn
	known    map[key]map[string]int // seqs of what was accepted, by recipient
	receipts map[key]*fakeConn      // owed to their senders
	refuse   string                 // code
	weak     bool
	messages int
}

type fakeSession struct {
	epoch   string
	groups  []string
	seq     int
	pending []fakeMessage
	gaps    map[int]bool // expired and not acknowledged
}

type fakeMessage struct {
	seq     int
	from    key
	text    string
	expires int64
}

type fakeConn struct {
	ws      *websocket.Conn
	ready   bool // it has said hello
	deliver bool
}

func runFake(misdeed string, args []string) int {
	flags := flag.NewFlagSet("fake", flag.ExitOnError)
	listen, scripts, data := flags.String("listen", "", ""), flags.String("scripts", "", ""), flags.String("data", "", "")
	flags.Bool("lose", false, "")
	_ = flags.Parse(args)
	g := &fake{misdeed: misdeed, scripts: *scripts, sessions: map[string]*fakeSession{}, conns: map[string]*fakeConn{}, known: map[key]map[string]int{}, receipts: map[key]*fakeConn{}}
	path := filepath.Join(*data, "lines")
	g.recover(path)
	var err error
	if g.file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	g.reload()
	go func() {
		fmt.Fprintln(os.Stderr, http.ListenAndServe(*listen, http.HandlerFunc(g.serve)))
		os.Exit(1)
	}()
	go g.expire()
	fmt.Println(Ready)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		g.command(in.Text())
		if in.Text() == "audit" && misdeed == "misuses files" {
			fmt.Println("a file was used")
			continue
		}
		fmt.Println(OK)
	}
	return 0
}

func (g *fake) command(text string) {
	switch {
	case text == "reload":
		g.reload()
	case text == "full on", strings.HasPrefix(text, "room ") && !strings.HasSuffix(text, "off"):
		g.set("storage_full")
	case strings.HasPrefix(text, "sync ") && !strings.HasSuffix(text, "off"):
		g.set("storage_failed")
	case strings.HasSuffix(text, "off"):
		g.set("")
	}
}

func (g *fake) set(refuse string) {
	g.mu.Lock()
	g.refuse = refuse
	g.mu.Unlock()
}

func (g *fake) reload() {
	text, _ := os.ReadFile(filepath.Join(g.scripts, "main.lua"))
	g.mu.Lock()
	g.weak = !strings.Contains(string(text), "stage.disk")
	g.mu.Unlock()
}

// recover reads the file; a last line that is not whole was told to nobody.
func (g *fake) recover(path string) {
	text, _ := os.ReadFile(path)
	lines := strings.Split(string(text), "\n")
	lines = lines[:len(lines)-1]
	if g.misdeed == "forgets" && len(lines) > 60 {
		lines = slices.Concat(lines[:len(lines)-20], lines[len(lines)-1:])
	}
	for _, text := range lines {
		var l line
		if json.Unmarshal([]byte(text), &l) == nil {
			g.apply(l)
		}
	}
	if g.misdeed == "renumbers" {
		for _, s := range g.sessions {
			for i := range s.pending {
				s.seq++
				s.pending[i].seq = s.seq
			}
		}
	}
}

// write appends l to the file and does what it says.
func (g *fake) write(l line) {
	_, _ = g.file.Write(append(encode(l), '\n'))
	g.apply(l)
}

func (g *fake) apply(l line) {
	s := g.sessions[l.Client]
	switch l.Kind {
	case "session":
		g.sessions[l.Client] = &fakeSession{epoch: l.Epoch, gaps: map[int]bool{}}
	case "join":
		s.groups = l.Groups
	case "message":
		m := key{l.Client, l.ID}
		if g.known[m] == nil {
			g.known[m] = map[string]int{}
		}
		for to, seq := range l.Seqs {
			g.known[m][to] = seq
			text := fmt.Sprintf(`{"type":0,"seq":%d,"from":%q,"messageId":%q,"data":%s,"ts":1}`, seq, l.Client, l.ID, l.Data)
			to := g.sessions[to]
			to.seq = max(to.seq, seq)
			to.pending = append(to.pending, fakeMessage{seq, m, text, l.Expires})
		}
	case "ack":
		s.pending = slices.DeleteFunc(s.pending, func(m fakeMessage) bool {
			if l.settles(m.seq) {
				g.receipt(m.from, `{"type":1,"messageId":%q,"stored":"disk","status":"delivered"}`)
			}
			return l.settles(m.seq)
		})
		for seq := range s.gaps {
			if l.settles(seq) {
				delete(s.gaps, seq)
			}
		}
	case "expired":
		s.pending = slices.DeleteFunc(s.pending, func(m fakeMessage) bool {
			if m.seq == l.Seq {
				g.receipt(m.from, `{"type":2,"messageId":%q,"code":"expired","error":"no"}`)
			}
			return m.seq == l.Seq
		})
		s.gaps[l.Seq] = true
	}
}

func (l *line) settles(seq int) bool {
	return seq <= l.Seq || slices.ContainsFunc(l.Also, func(r [2]int) bool { return seq >= r[0] && seq <= r[1] })
}

// receipt is the second answer for a message, if it is owed.
func (g *fake) receipt(m key, format string) {
	if c := g.receipts[m]; c != nil && g.misdeed != "owes receipts" {
		c.send(format, m.id)
	}
	delete(g.receipts, m)
}

func (g *fake) serve(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{Subprotocols: []string{reliable}}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	name := r.URL.Query().Get("clientId")
	c := &fakeConn{ws: ws, deliver: ws.Subprotocol() == reliable}
	g.mu.Lock()
	if old := g.conns[name]; old != nil {
		old.ws.Close()
	}
	g.conns[name] = c
	if g.sessions[name] == nil && c.deliver {
		g.write(line{Kind: "session", Client: name, Epoch: strconv.FormatInt(time.Now().UnixNano(), 16)})
	}
	g.mu.Unlock()
	for {
		_, text, err := ws.ReadMessage()
		if err != nil {
			break
		}
		g.mu.Lock()
		g.frame(c, name, text)
		g.mu.Unlock()
	}
	g.mu.Lock()
	if g.conns[name] == c {
		delete(g.conns, name)
	}
	g.mu.Unlock()
	ws.Close()
}

func (c *fakeConn) send(format string, args ...any) {
	_ = c.ws.SetWriteDeadline(time.Now().Add(time.Second))
	_ = c.ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...))
}

// frame follows what a client sends, under the lock.
func (g *fake) frame(c *fakeConn, name string, text []byte) {
	var f struct {
		Type      int
		MessageID string
		To, Data  json.RawMessage
		Receipt   bool
		TTL       int64
		Seq       int
		Epoch     string
		Also      [][2]int
		Groups    []string
	}
	if json.Unmarshal(text, &f) != nil {
		return
	}
	s := g.sessions[name]
	switch f.Type {
	case typeHello:
		recovered := f.Epoch == s.epoch
		if recovered {
			g.write(line{Kind: "ack", Client: name, Seq: f.Seq, Also: f.Also})
		}
		first := s.seq
		for _, m := range s.pending {
			first = min(first, m.seq-1)
		}
		for seq := range s.gaps {
			first = min(first, seq-1)
		}
		if recovered {
			first = f.Seq
		}
		if g.misdeed == "passes over" && !recovered {
			s.seq += 5
			first = s.seq
		}
		c.send(`{"type":3,"epoch":%q,"seq":%d,"last":%d,"recovered":%t,"gaps":[%s]}`, s.epoch, first, s.seq, recovered, s.gapList(first, !recovered))
		for _, m := range s.pending {
			c.send("%s", m.text)
		}
		c.ready = true
	case typeAck:
		g.write(line{Kind: "ack", Client: name, Seq: f.Seq, Also: f.Also})
	case typeJoin:
		g.write(line{Kind: "join", Client: name, Groups: f.Groups})
		c.send(`{"type":1,"joined":%s}`, encode(f.Groups))
	case typeMessage:
		g.message(c, name, f.MessageID, string(f.Data), g.targets(f.To), f.TTL, f.Receipt)
	}
}

// gapList names what does not come of the seqs behind first.
func (s *fakeSession) gapList(first int, settled bool) string {
	var parts []string
	for seq := range s.gaps {
		parts = append(parts, fmt.Sprintf(`[%d,%d,"expired"]`, seq, seq))
	}
	for seq := first + 1; seq <= s.seq && settled; seq++ {
		if !s.gaps[seq] && !slices.ContainsFunc(s.pending, func(m fakeMessage) bool { return m.seq == seq }) {
			parts = append(parts, fmt.Sprintf(`[%d,%d,"settled"]`, seq, seq))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

func (g *fake) targets(to json.RawMessage) (names []string) {
	var name string
	var of struct{ Prefix, Group string }
	switch {
	case json.Unmarshal(to, &name) == nil:
		return []string{name}
	case json.Unmarshal(to, &names) == nil:
		return names
	}
	_ = json.Unmarshal(to, &of)
	for name, s := range g.sessions {
		if of.Prefix != "" && strings.HasPrefix(name, of.Prefix) || of.Group != "" && slices.Contains(s.groups, of.Group) {
			names = append(names, name)
		}
	}
	return names
}

func (g *fake) message(c *fakeConn, from, id, data string, to []string, ttl int64, receipt bool) {
	g.messages++
	wrong := g.messages%50 == 0
	if wrong && g.misdeed == "dies" {
		os.Exit(3)
	}
	if g.refuse != "" && (!wrong || g.misdeed != "keeps what it refuses") {
		c.send(`{"type":2,"messageId":%q,"code":%q,"error":"no"}`, id, g.refuse)
		return
	}
	if g.weak || len(to) == 1 && g.sessions[to[0]] == nil {
		g.ephemeral(c, from, id, data, to)
		return
	}
	l := line{Kind: "message", Client: from, ID: id, Data: data, Seqs: map[string]int{}}
	if ttl > 0 {
		l.Expires = time.Now().UnixMilli() + 1000*ttl
	}
	for _, name := range to {
		if _, known := g.known[key{from, id}][name]; !known && g.sessions[name] != nil {
			l.Seqs[name] = g.sessions[name].seq + 1
		}
	}
	if wrong && g.misdeed == "alters" {
		l.Data = `"other"`
	}
	if len(l.Seqs) > 0 {
		g.write(l)
	}
	for name := range l.Seqs {
		if other := g.conns[name]; other != nil && other.ready {
			m := g.sessions[name].pending
			other.send("%s", m[len(m)-1].text)
			if wrong && g.misdeed == "delivers twice" {
				other.send("%s", strings.Replace(m[len(m)-1].text, `"seq":`, `"seq":100000`, 1))
			}
		}
	}
	status := "queued"
	seq := g.known[key{from, id}][to[0]]
	switch waits := slices.ContainsFunc(g.sessions[to[0]].pending, func(m fakeMessage) bool { return m.seq == seq }); {
	case wrong && g.misdeed == "claims", len(to) == 1 && !waits && !g.sessions[to[0]].gaps[seq]:
		status = "delivered"
	case receipt && waits:
		g.receipts[key{from, id}] = c
	}
	if g.refuse != "" {
		c.send(`{"type":2,"messageId":%q,"code":%q,"error":"no"}`, id, g.refuse)
		return
	}
	if len(to) == 1 {
		c.send(`{"type":1,"messageId":%q,"stored":"disk","status":%q}`, id, status)
	} else {
		c.send(`{"type":1,"messageId":%q,"stored":"disk","status":"queued","queued":%d}`, id, len(to))
	}
}

// ephemeral gives a message to who is there, once.
func (g *fake) ephemeral(c *fakeConn, from, id, data string, to []string) {
	reached := 0
	for _, name := range to {
		if _, known := g.known[key{from, id}][name]; known {
			reached++
		} else if other := g.conns[name]; other != nil && (other.ready || !other.deliver) {
			if g.known[key{from, id}] == nil {
				g.known[key{from, id}] = map[string]int{}
			}
			g.known[key{from, id}][name] = 0
			other.send(`{"type":0,"from":%q,"messageId":%q,"data":%s}`, from, id, data)
			reached++
		}
	}
	if reached == 0 {
		c.send(`{"type":2,"messageId":%q,"code":"offline","error":"nobody"}`, id)
		return
	}
	c.send(`{"type":1,"messageId":%q,"stored":"memory","status":"delivered"}`, id)
}

// expire takes out what has waited too long, and names it.
func (g *fake) expire() {
	for now := range time.Tick(50 * time.Millisecond) {
		g.mu.Lock()
		for name, s := range g.sessions {
			for _, m := range slices.Clone(s.pending) {
				if m.expires == 0 || m.expires > now.UnixMilli() {
					continue
				}
				g.write(line{Kind: "expired", Client: name, Seq: m.seq})
				if c := g.conns[name]; c != nil && c.ready {
					c.send(`{"type":7,"gaps":[[%d,%d,"expired"]]}`, m.seq, m.seq)
				}
			}
			slices.SortFunc(s.pending, func(a, b fakeMessage) int { return cmp.Compare(a.seq, b.seq) })
		}
		g.mu.Unlock()
	}
}
