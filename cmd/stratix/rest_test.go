package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stratix-gateway/stratix/core/apikey"
	"github.com/stratix-gateway/stratix/core/gateway"
)

// restScripts keep what is for someone, and answer what is for nobody.
var restScripts = map[string]string{
	"main.lua": `pipeline {
  function(msg)
    if msg:get("data.reply") then msg:reply{ got = msg:get("data.reply"), from = msg:from() } end
    if msg:get("data.drop") then return msg:drop("not wanted") end
    if msg:get("data.passing") then msg:store("none") end
  end,
  stage.prefix { routes = { ["shop-"] = { client = "desk" } } },
  stage.disk { sync = "commit" },
  stage.ring { messages = 100000, bytes = "64MiB" },
}`,
}

// rest calls the API of a gateway.
type rest struct {
	*running
	key string
}

// call sends a request to the admin address.
func (r rest) call(method, path, body string) (status int, text string) {
	r.t.Helper()
	req, err := http.NewRequest(method, "http://"+r.AdminAddr().String()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.key != "" {
		req.Header.Set("Authorization", "Bearer "+r.key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(b))
}

func (r rest) publish(query, body string) (status int, text string) {
	r.t.Helper()
	return r.call("POST", "/v1/publish"+query, body)
}

// document is the gateway's own description of its API.
type document struct {
	t        *testing.T
	text     []byte
	compiler *jsonschema.Compiler
	parsed   struct {
		Paths map[string]map[string]struct {
			Responses map[string]any `json:"responses"`
		} `json:"paths"`
	}
}

func (r rest) document(t *testing.T) *document {
	t.Helper()
	_, text := r.call("GET", "/v1/openapi.json", "")
	d := &document{t: t, text: []byte(text), compiler: jsonschema.NewCompiler()}
	if err := json.Unmarshal(d.text, &d.parsed); err != nil {
		t.Fatal(err)
	}
	all, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.text))
	if err != nil {
		t.Fatal(err)
	}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	if err := d.compiler.AddResource("api.json", all); err != nil {
		t.Fatal(err)
	}
	return d
}

// check holds an answer against what the document says of it.
func (d *document) check(method, path string, status int, text string) {
	d.t.Helper()
	op, described := d.parsed.Paths[path][strings.ToLower(method)]
	if !described {
		d.t.Fatalf("%s %s is not described", method, path)
	}
	place := "api.json#/components/schemas/Problem"
	if response, ok := op.Responses[fmt.Sprint(status)]; ok {
		if content, _ := response.(map[string]any)["content"].(map[string]any); content["application/json"] == nil {
			if text != "" {
				d.t.Errorf("%s %s: %d has a body that is not described: %s", method, path, status, text)
			}
			return
		}
		escaped := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(path)
		place = fmt.Sprintf("api.json#/paths/%s/%s/responses/%d/content/application~1json/schema", escaped, strings.ToLower(method), status)
	} else if status < 400 {
		d.t.Errorf("%s %s: the status %d is not described", method, path, status)
		return
	}
	schema, err := d.compiler.Compile(place)
	if err != nil {
		d.t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		d.t.Errorf("%s %s: %d %s: %v", method, path, status, text, err)
		return
	}
	if err := schema.Validate(value); err != nil {
		d.t.Errorf("%s %s: %d %s\n%v", method, path, status, text, err)
	}
}

func TestWhatTheAPIAnswersIsAsItsDocumentSays(t *testing.T) {
	r := rest{running: runGateway(t, restScripts, func(c *serveCmd) { c.ExplainRate, c.ExplainBytes = 1, 1<<20 })}
	d := r.document(t)
	reliable, err := dialReliable(r.Addr().String(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dialWS(r.Addr().String(), "plain"); err != nil {
		t.Fatal(err)
	}
	f := func(method, template, path, body string, status int, holds string) {
		t.Helper()
		got, text := r.call(method, path, body)
		if got != status || !strings.Contains(text, holds) {
			t.Errorf("%s %s: %d %s, want %d and %s", method, path, got, text, status, holds)
		}
		d.check(method, template, got, text)
	}
	publish := func(query, body string, status int, holds string) {
		t.Helper()
		f("POST", "/v1/publish", "/v1/publish"+query, body, status, holds)
	}
	publish("", `{"to":"b","messageId":"m1","data":"x","headers":{"a":"b"},"priority":3,"ttl":60}`, 200, `{"messageId":"m1","stored":"disk","status":"queued"}`)
	publish("?wait=disk", `{"to":"away","messageId":"m2","data":"x"}`, 200, `"stored":"disk","status":"queued"`)
	publish("?wait=delivered&timeout=2s", `{"to":"away","messageId":"m3","data":"x"}`, 202, `"status":"queued"`)
	publish("?wait=disk", `{"to":"plain","messageId":"m4","data":{"passing":1}}`, 200, `"stored":"memory","status":"delivered"`)
	publish("", `{"to":["plain","away"],"data":"x"}`, 200, `"delivered":1,"queued":1`)
	publish("", `{"data":{"reply":7}}`, 200, `"got":7`)
	publish("?from=shop-1", `{"data":"x"}`, 200, `"queued"`)
	publish("", `{"data":"x"}`, 422, `"code":"no_route"`)
	publish("", `{"data":{"drop":1},"to":"b"}`, 422, `"code":"dropped"`)
	publish("", `{"data":{"passing":1},"to":"away"}`, 409, `"code":"offline"`)
	publish("", `{"data":`, 400, `"code":"bad_json"`)
	publish("", `{"to":"b"}`, 422, `"code":"bad_message"`)
	publish("", `{"messages":[{"to":"b","data":1},{"to":"b","data":2}]}`, 200, `"results":[`)
	publish("", `{"messages":[{"to":"b","data":1},{"messageId":"m5","data":2}]}`, 207, `"messageId":"m5"`)
	publish("?wait=delivered&timeout=2s", `{"messages":[{"to":"away","data":1}]}`, 202, `"results":[`)

	f("GET", "/v1/clients", "/v1/clients?limit=2", "", 200, `"next": "b"`)
	f("GET", "/v1/clients", "/v1/clients?limit=0", "", 400, `"code":"bad_request"`)
	f("GET", "/v1/clients/{id}", "/v1/clients/b", "", 200, `"reliable": true`)
	f("GET", "/v1/clients/{id}", "/v1/clients/away", "", 200, `"connected": false`)
	f("GET", "/v1/clients/{id}", "/v1/clients/nobody", "", 404, `"code":"unknown_client"`)
	f("GET", "/v1/clients/{id}/pending", "/v1/clients/away/pending?limit=1&data=1", "", 200, `"messageId": "m2"`)
	f("PUT", "/v1/clients/{id}/groups/{group}", "/v1/clients/b/groups/room%3A1", "", 204, "")
	f("GET", "/v1/groups", "/v1/groups?prefix=room", "", 200, `"name": "room:1"`)
	f("DELETE", "/v1/clients/{id}/groups/{group}", "/v1/clients/b/groups/room%3A1", "", 204, "")
	f("PUT", "/v1/clients/{id}/groups/{group}", "/v1/clients/nobody/groups/x", "", 404, `"code":"not_connected"`)
	f("DELETE", "/v1/clients/{id}", "/v1/clients/b?reason=enough", "", 204, "")
	f("DELETE", "/v1/clients/{id}", "/v1/clients/nobody", "", 404, `"code":"not_connected"`)
	f("GET", "/v1/routes", "/v1/routes", "", 200, `"prefix": "shop-"`)
	f("GET", "/v1/status", "/v1/status", "", 200, `"ready": true`)
	f("GET", "/v1/generations", "/v1/generations", "", 200, `"state": "live"`)
	f("GET", "/v1/generations/{name}", "/v1/generations/live", "", 200, `"main.lua"`)
	f("GET", "/v1/generations/{name}", "/v1/generations/99", "", 404, `"code":"not_found"`)
	f("GET", "/v1/messages/{id}", "/v1/messages/m1", "", 200, `"client": "api"`)
	f("GET", "/v1/openapi.json", "/v1/openapi.json", "", 200, `"openapi": "3.1.0"`)
	f("GET", "/v1/whoami", "/v1/whoami", "", 200, `"admin"`)
	f("GET", "/v1/tail", "/v1/tail?x=y", "", 400, `"code":"bad_request"`)
	f("GET", "/v1/live", "/v1/live?every=1h", "", 400, `"code":"bad_request"`)
	f("POST", "/v1/rollback", "/v1/rollback", "", 409, `"code":"conflict"`)
	f("POST", "/v1/reload", "/v1/reload", "", 200, `"unchanged"`)
	f("POST", "/v1/reload", "/v1/reload?gate=load", "", 200, `"generation"`)
	f("POST", "/v1/reload", "/v1/reload?gate=none", "", 422, `there is no gate`)
	save(t, filepath.Join(r.scripts, "main.lua"), "pipeline {")
	f("POST", "/v1/reload", "/v1/reload", "", 422, `main.lua:1`)
	if code, err := reliable.closeCode(); code != 4003 || err != nil {
		t.Errorf("the disconnected client was closed with %d, %v", code, err)
	}
}

func TestAPublicationThatWaitsForDeliveryIsToldOfIt(t *testing.T) {
	r := rest{running: runGateway(t, restScripts, nil)}
	b, err := dialReliable(r.Addr().String(), "b")
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		status int
		text   string
	}
	told := make(chan answer, 1)
	go func() {
		status, text := r.publish("?wait=delivered&timeout=30s", `{"to":"b","messageId":"m1","data":"x"}`)
		told <- answer{status, text}
	}()
	var got struct {
		Type int    `json:"type"`
		Seq  int    `json:"seq"`
		From string `json:"from"`
	}
	text, err := b.next()
	if err == nil {
		err = json.Unmarshal([]byte(text), &got)
	}
	if err != nil || got.From != "api" {
		t.Fatalf("b got %s, %v", text, err)
	}
	if err := b.send(fmt.Sprintf(`{"type":1,"seq":%d}`, got.Seq)); err != nil {
		t.Fatal(err)
	}
	if a := <-told; a.status != 200 || a.text != `{"messageId":"m1","stored":"disk","status":"delivered"}` {
		t.Errorf("the publisher got %d %s", a.status, a.text)
	}
	// The same again is answered with what has become of it, and not delivered.
	for _, wait := range []string{"accepted", "disk", "delivered"} {
		status, text := r.publish("?wait="+wait, `{"to":"b","messageId":"m1","data":"x"}`)
		if status != 200 || text != `{"messageId":"m1","stored":"disk","status":"delivered"}` {
			t.Errorf("a repeat with wait=%s got %d %s", wait, status, text)
		}
	}
	r.publish("", `{"to":"b","messageId":"m2","data":"y"}`)
	if text, err := b.next(); err != nil || !strings.Contains(text, `"m2"`) {
		t.Errorf("b got %s, %v behind the repeats", text, err)
	}
}

func TestKeysAreGoodFromTheMomentTheyAreMadeUntilTheyAreRevoked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	made := func(name string, scopes apikey.Scopes) string {
		t.Helper()
		k, text, err := apikey.New(name, name, scopes, time.Now())
		if err == nil {
			err = apikey.Add(file, k)
		}
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	admin := made("ops", apikey.Admin)
	r := rest{running: runGatewayWith(t, restScripts, func(c *serveCmd) { c.Keys, c.PublicPublish = file, true }, admin), key: admin}
	post := func(addr, key string) int {
		t.Helper()
		req, err := http.NewRequest("POST", "http://"+addr+"/v1/publish", strings.NewReader(`{"to":"desk","data":1}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	shop := made("shop", apikey.Publish)
	for end := time.Now().Add(patience); post(r.AdminAddr().String(), shop) != 200; { // the file is looked at by itself
		if time.Now().After(end) {
			t.Fatal("a new key is not noticed")
		}
	}
	for _, addr := range []string{r.Addr().String(), r.AdminAddr().String()} {
		if got := post(addr, shop); got != 200 {
			t.Errorf("on %s the new key gets %d", addr, got)
		}
	}
	if _, text := r.call("GET", "/v1/clients/desk/pending", ""); !strings.Contains(text, `"from": "shop"`) {
		t.Errorf("the sender is not the key's: %s", text)
	}
	if err := apikey.Revoke(file, "shop"); err != nil {
		t.Fatal(err)
	}
	r.ReloadKeys()
	if got := post(r.Addr().String(), shop); got != 401 {
		t.Errorf("a revoked key gets %d", got)
	}
	for _, want := range []string{"keys=2 added=shop\n", "keys=1 revoked=shop\n"} {
		if log := r.log.String(); !strings.Contains(log, want) || strings.Contains(log, shop) {
			t.Errorf("the log lacks %q, or has a key in it: %s", want, log)
		}
	}
	save(t, file, "broken")
	r.ReloadKeys()
	if got := post(r.Addr().String(), admin); got != 200 || !strings.Contains(r.log.String(), "those from before stay good") {
		t.Errorf("behind a broken file the keys get %d", got)
	}
	if got := r.metric("stratix_token_keys_failing"); got != "1" {
		t.Errorf("%s files of keys are failing", got)
	}
	// Without a key the status is closed, also to the own machine.
	open := rest{running: r.running}
	if status, text := open.call("GET", "/v1/status", ""); status != 401 || !strings.Contains(text, `"code":"unauthorized"`) {
		t.Errorf("without a key: %d %s", status, text)
	}
	var st gateway.Status
	if err := (adminFlag{Admin: r.AdminAddr().String(), Key: admin}).getJSON(t.Context(), "/v1/status", nil, &st); err != nil || !st.Ready {
		t.Errorf("a command with the key: %+v, %v", st, err)
	}
	err := (adminFlag{Admin: r.AdminAddr().String()}).getJSON(t.Context(), "/v1/status", nil, &st)
	if err == nil || !strings.Contains(err.Error(), "STRATIX_KEY") {
		t.Errorf("a command without it: %v", err)
	}
}
