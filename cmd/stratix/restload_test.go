package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestTenThousandPublicationsBesideASlowReader publishes over connections that
// read their answers, and over one that sends all of its requests before it reads
// the first. Everything arrives once, in order, and a client is served meanwhile.
func TestTenThousandPublicationsBesideASlowReader(t *testing.T) {
	const publishers, each = 8, 1250
	const slow = 2000
	r := rest{running: runGateway(t, restScripts, nil)}
	b, err := dialReliable(r.Addr().String(), "b")
	if err != nil {
		t.Fatal(err)
	}
	message := func(name string, i int) string {
		return fmt.Sprintf(`{"to":"b","messageId":"%s %d","data":1}`, name, i)
	}
	var done sync.WaitGroup
	for p := range publishers {
		done.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for i := range each {
				resp, err := client.Post("http://"+r.AdminAddr().String()+"/v1/publish?from="+fmt.Sprint("p", p), "application/json", strings.NewReader(message(fmt.Sprint("p", p), i)))
				if err != nil {
					t.Error(err)
					return
				}
				text, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != 200 || !strings.Contains(string(text), `"stored":"disk"`) {
					t.Errorf("publisher %d: %d %s", p, resp.StatusCode, text)
					return
				}
			}
		})
	}
	conn, err := net.Dial("tcp", r.AdminAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i := range slow {
		body := message("slow", i)
		if _, err := fmt.Fprintf(conn, "POST /v1/publish?from=slow HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			t.Fatal(err)
		}
	}
	next := map[string]int{}
	for got := 0; got < publishers*each+slow; {
		text, err := b.next()
		if err != nil {
			t.Fatal(err)
		}
		var name string
		var i, seq int
		if _, err := fmt.Sscanf(text, `{"type":0,"seq":%d,`, &seq); err != nil {
			continue // the answer to the hello
		}
		if _, err := fmt.Sscanf(text[strings.Index(text, `"messageId":"`):], `"messageId":"%s %d"`, &name, &i); err != nil {
			t.Fatal(err, text)
		}
		if next[name] != i {
			t.Fatalf("of %s comes %d, want %d", name, i, next[name])
		}
		next[name]++
		if got++; got%100 == 0 || got == publishers*each+slow {
			if err := b.send(fmt.Sprintf(`{"type":1,"seq":%d}`, seq)); err != nil {
				t.Fatal(err)
			}
		}
	}
	done.Wait()
	in := bufio.NewReader(conn)
	for i := range slow {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(i, err)
		}
		text, err := io.ReadAll(resp.Body)
		if want := fmt.Sprintf(`"messageId":"slow %d","stored":"disk"`, i); err != nil || resp.StatusCode != 200 || !strings.Contains(string(text), want) {
			t.Fatalf("answer %d: %d %s, %v", i, resp.StatusCode, text, err)
		}
	}
}

// BenchmarkPublish is one message a request over connections that stay open, and
// many: to a plain client that reads.
func BenchmarkPublish(b *testing.B) {
	f := func(name, data string, many int) {
		b.Run(name, func(b *testing.B) {
			r := runGateway(b, restScripts, nil)
			to, err := dialWS(r.Addr().String(), "b")
			if err != nil {
				b.Fatal(err)
			}
			go func() {
				for err == nil {
					_, err = to.next()
				}
			}()
			one := fmt.Sprintf(`{"to":"b","data":%s}`, data)
			body := one
			if many > 1 {
				body = `{"messages":[` + strings.Repeat(one+",", many-1) + one + `]}`
			}
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			defer client.CloseIdleConnections()
			b.SetParallelism(16)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					resp, err := client.Post("http://"+r.AdminAddr().String()+"/v1/publish", "application/json", strings.NewReader(body))
					if err != nil {
						b.Error(err)
						return
					}
					if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
						b.Errorf("%d %s", resp.StatusCode, text)
						return
					}
					resp.Body.Close()
				}
			})
			b.ReportMetric(float64(b.N*many)/b.Elapsed().Seconds(), "messages/s")
		})
	}
	f("passing", `{"passing":1}`, 1)
	f("disk", `{"x":1}`, 1)
	f("disk 100 a request", `{"x":1}`, 100)
}
