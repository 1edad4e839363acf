package wire

import (
	"fmt"
	"strings"
	"testing"
)

// show writes what a frame holds, only the fields that are set.
func show(f *Frame) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d", f.Type)
	for _, field := range []struct {
		name string
		raw  []byte
	}{{"id", f.ID}, {"data", f.Data}, {"to", f.To}, {"headers", f.Headers}, {"groups", f.Groups}, {"token", f.Token}} {
		if field.raw != nil {
			fmt.Fprintf(&s, " %s=%s", field.name, field.raw)
		}
	}
	if f.Seq != 0 {
		fmt.Fprintf(&s, " seq=%d", f.Seq)
	}
	if f.Also != nil {
		fmt.Fprintf(&s, " also=%s", f.Also)
	}
	if f.Epoch != nil {
		fmt.Fprintf(&s, " epoch=%s", f.Epoch)
	}
	if f.TTL != 0 {
		fmt.Fprintf(&s, " ttl=%d", f.TTL)
	}
	if f.Priority != 0 {
		fmt.Fprintf(&s, " priority=%d", f.Priority)
	}
	if f.Receipt {
		s.WriteString(" receipt")
	}
	return s.String()
}

func TestParseReadsFrames(t *testing.T) {
	p := NewParser()
	f := func(in, want string) {
		t.Helper()
		var got Frame
		if fault := p.Parse([]byte(in), &got); fault != nil {
			t.Errorf("Parse(%s): %v", in, *fault)
		} else if s := show(&got); s != want {
			t.Errorf("Parse(%s)\n got %s\nwant %s", in, s, want)
		}
	}
	f(`{"type":0,"data":null}`, `0 data=null`)
	f(`{"type":0,"messageId":"msg-001","data":"Hello World"}`, `0 id="msg-001" data="Hello World"`)
	f(" {\n\t\"data\" : [ 1 , {} ] ,\r\"type\" : 0 } ", `0 data=[ 1 , {} ]`)
	f(`{"type":0,"data":1,"to":"a"}`, `0 data=1 to="a"`)
	f(`{"type":0,"data":1,"to":["a","b"]}`, `0 data=1 to=["a","b"]`)
	f(`{"type":0,"data":1,"to":null}`, `0 data=1`)
	f(`{"type":0,"data":1,"priority":9,"ttl":2592000,"receipt":true}`, `0 data=1 ttl=2592000 priority=9 receipt`)
	f(`{"type":0,"data":1,"priority":-0,"ttl":0,"receipt":false}`, `0 data=1`)
	f(`{"type":10,"token":"a.b.c"}`, `10 token="a.b.c"`)
	f(`{"type":10,"messageId":"m","token":"\u0061","data":1,"to":"x"}`, `10 id="m" token="\u0061"`)
	f(`{"type":0,"data":1,"token":5}`, `0 data=1`)
	f(`{"type":0,"data":1,"headers":{}}`, `0 data=1 headers={}`)
	f(`{"type":0,"data":1,"headers":{ "a" : "b" , "c":"d" } }`, `0 data=1 headers={ "a" : "b" , "c":"d" }`)
	f(`{"type":0,"data":1,"headers":`+headers(64)+`}`, `0 data=1 headers=`+headers(64))
	f(`{"type":0,"data":1,"from":7,"seq":"x","ts":[],"":0,"more":{"type":5}}`, `0 data=1`)
	f(`{"type":0,"data":1,"groups":3}`, `0 data=1`)
	f(`{"\u0074ype":0,"d\u0061ta":1}`, `0 data=1`)
	f(`{"type":0,"data":1,"messageId":"`+strings.Repeat("x", 128)+`"}`, `0 id="`+strings.Repeat("x", 128)+`" data=1`)
	f(`{"type":0,"data":1,"messageId":"`+strings.Repeat(`\u0041`, 128)+`"}`, `0 id="`+strings.Repeat(`\u0041`, 128)+`" data=1`)
	f(`{"type":1,"seq":42,"also":[[44,50]]}`, `1 seq=42 also=[[44,50]]`)
	f(`{"type":3}`, `3`)
	f(`{"type":3,"epoch":"e","seq":41}`, `3 seq=41 epoch="e"`)
	f(`{"type":4}`, `4`)
	f(`{"type":4,"data":1,"to":"x","headers":3,"priority":"high"}`, `4`)
	f(`{"type":5}`, `5`)
	f(`{"type":8,"groups":["room:1"]}`, `8 groups=["room:1"]`)
	f(`{"type":9,"messageId":"m","groups":[]}`, `9 id="m" groups=[]`)
	f(nested(`{"type":0,"data":`, 63), `0 data=`+strings.Repeat("[", 63)+strings.Repeat("]", 63))
}

func headers(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, `,"h%d":"v"`, i)
	}
	return "{" + s.String()[1:] + "}"
}

// nested is a frame whose last value is n arrays inside each other.
func nested(begin string, n int) string {
	return begin + strings.Repeat("[", n) + strings.Repeat("]", n) + "}"
}

func TestParseNamesTheFault(t *testing.T) {
	p := NewParser()
	f := func(in, code, text string) {
		t.Helper()
		fault := p.Parse([]byte(in), new(Frame))
		if fault == nil {
			t.Errorf("Parse(%s) found no fault", in)
		} else if fault.Code != code || fault.Text != text {
			t.Errorf("Parse(%s)\n got %s: %s\nwant %s: %s", in, fault.Code, fault.Text, code, text)
		}
	}
	f(``, "bad_json", `unexpected end at byte 0`)
	f(`{`, "bad_json", `unexpected end at byte 1`)
	f(`{"type":0`, "bad_json", `unexpected end at byte 9`)
	f(`{"type"`, "bad_json", `unexpected end at byte 7`)
	f(`{"type":`, "bad_json", `unexpected end at byte 8`)
	f(`{"type":0,}`, "bad_json", `unexpected '}' at byte 10`)
	f(`{"type":0}x`, "bad_json", `unexpected 'x' at byte 10`)
	f(`{"type":0} {}`, "bad_json", `unexpected '{' at byte 11`)
	f(`{type:0}`, "bad_json", `unexpected 't' at byte 1`)
	f(`{"type" 0}`, "bad_json", `unexpected '0' at byte 8`)
	f(`{"data":"é`+"\x01"+`"}`, "bad_json", `unexpected '\x01' at byte 11`)
	f(`{"data":ü}`, "bad_json", `unexpected 'ü' at byte 8`)
	f(`[1,2]`, "bad_message", `a frame must be a JSON object`)
	f(`[1,2`, "bad_json", `unexpected end at byte 4`)
	f(`"x"`, "bad_message", `a frame must be a JSON object`)
	f(`{"type":0,"type":1}`, "duplicate_key", `duplicate key "type" at byte 10`)
	f(`{"data":{"a":1,"\u0061":2}}`, "duplicate_key", `duplicate key "a" at byte 15`)
	f(`{"data":[{},{"":[{"k":1}],"":2}]}`, "duplicate_key", `duplicate key "" at byte 26`)
	f(`{"\ud800":1,"\udfff":2}`, "duplicate_key", "duplicate key \"\uFFFD\" at byte 12")
	f(`{"data":{"`+strings.Repeat("é", 30)+`":1,"`+strings.Repeat("é", 30)+`":1}}`, "duplicate_key",
		`duplicate key "`+strings.Repeat("é", 20)+`"... at byte 74`)
	f(nested(`{"type":0,"data":`, 64), "too_deep", `nested deeper than 64 levels at byte 80`)
	f(strings.Repeat(`{"a":`, 65)+`1`+strings.Repeat(`}`, 65), "too_deep", `nested deeper than 64 levels at byte 320`)
	f(strings.Repeat(`[`, 100000), "too_deep", `nested deeper than 64 levels at byte 64`)
	f(`{}`, "missing_type", `type is missing`)
	f(`{"data":1}`, "missing_type", `type is missing`)
	for _, kind := range []string{"2", "6", "7", "11", "-1", "4294967296", "18446744073709551616"} {
		f(`{"type":`+kind+`}`, "unknown_type", `no client may send this type`)
	}
	for _, token := range []string{``, `,"token":null`, `,"token":5`, `,"token":""`, `,"token":["x"]`, `,"token":"` + strings.Repeat("x", 8193) + `"`} {
		f(`{"type":10`+token+`}`, "bad_message", `token must be a string of 1 to 8192 bytes`)
	}
	for _, kind := range []string{`"0"`, `0.0`, `0e0`, `null`, `[]`, `true`} {
		f(`{"type":`+kind+`,"data":1}`, "bad_message", `type must be an integer`)
	}
	f(`{"type":0}`, "bad_message", `data is missing`)
	for _, id := range []string{`""`, `null`, `7`, `"` + strings.Repeat("x", 129) + `"`, `"` + strings.Repeat(`\n`, 129) + `"`,
		`"` + strings.Repeat("x", 2000) + `"`, `"` + strings.Repeat(`\u00e9`, 65) + `"`} {
		f(`{"type":0,"messageId":`+id+`,"data":1}`, "bad_message", `messageId must be a string of 1 to 128 bytes`)
	}
	for _, n := range []string{`10`, `-1`, `1.0`, `"1"`, `null`, `99999999999999999999`} {
		f(`{"type":0,"data":1,"priority":`+n+`}`, "bad_message", `priority must be an integer from 0 to 9`)
	}
	for _, n := range []string{`2592001`, `-1`, `1e3`, `null`, `{}`} {
		f(`{"type":0,"data":1,"ttl":`+n+`}`, "bad_message", `ttl must be an integer of seconds from 0 to 2592000`)
	}
	for _, v := range []string{`1`, `null`, `"true"`} {
		f(`{"type":0,"data":1,"receipt":`+v+`}`, "bad_message", `receipt must be true or false`)
	}
	for _, v := range []string{`null`, `[]`, `"a"`, `{"a":1}`, `{"a":"b","c":{}}`, headers(65)} {
		f(`{"type":0,"data":1,"headers":`+v+`}`, "bad_message", `headers must be an object of at most 64 strings`)
	}
	f(`{"type":1}`, "bad_message", `seq must be an integer of at least 0`)
	for _, n := range []string{`-1`, `1.5`, `"1"`, `null`, `9223372036854775808`} {
		f(`{"type":1,"seq":`+n+`}`, "bad_message", `seq must be an integer of at least 0`)
		f(`{"type":3,"seq":`+n+`}`, "bad_message", `seq must be an integer of at least 0`)
	}
	for _, v := range []string{`"room:1"`, `null`, `{}`} {
		f(`{"type":8,"groups":`+v+`}`, "bad_message", `groups must be an array of strings`)
	}
	f(`{"type":9}`, "bad_message", `groups must be an array of strings`)
}

func TestParseKeepsTheMessageIDOfAFaultyFrame(t *testing.T) {
	p := NewParser()
	f := func(in, want string) {
		t.Helper()
		var got Frame
		if p.Parse([]byte(in), &got) == nil {
			t.Errorf("Parse(%s) found no fault", in)
		}
		if string(got.ID) != want {
			t.Errorf("Parse(%s) found messageId %s, want %s", in, got.ID, want)
		}
	}
	f(`{"type":0,"messageId":"m","data":[1,]}`, `"m"`)
	f(`{"type":0,"messageId":"m","data":{"a":1,"a":2}}`, `"m"`)
	f(`{"type":0,"messageId":"m"}`, `"m"`)
	f(`{"messageId":"m","data":1}`, `"m"`)
	f(`{"type":2,"priority":77,"messageId":"m"}`, `"m"`)
	f(`{"type":0,"data":[1,],"messageId":"m"}`, ``)
	f(`{"type":0,"messageId":7,"data":1}`, ``)
	f(`{"type":0,"messageId":"m`, ``)
}

func TestParserStaysUsableAfterAFault(t *testing.T) {
	p := NewParser()
	for _, bad := range []string{`{"a":{"b":[{"c":1,"c":2}]}}`, `{"a":{"b":`, objectOf(500) + "x", `{"x":` + objectOf(500)} {
		if p.Valid([]byte(bad)) == nil {
			t.Errorf("Valid(%.40s) found no fault", bad)
		}
		for _, good := range []string{`{"a":{"b":1,"c":[]}}`, objectOf(500)} {
			if fault := p.Valid([]byte(good)); fault != nil {
				t.Errorf("Valid(%.40s) after %.40s: %v", good, bad, *fault)
			}
		}
	}
}

func TestValidChecksAnyValue(t *testing.T) {
	p := NewParser()
	f := func(in, want string) {
		t.Helper()
		got := ""
		if fault := p.Valid([]byte(in)); fault != nil {
			got = fault.Code
		}
		if got != want {
			t.Errorf("Valid(%s) = %q, want %q", in, got, want)
		}
	}
	for _, good := range []string{`0`, `-0`, `-12.5e+7`, `1E-2`, `true`, ` false `, `null`, `""`, `"\"\\\/\b\f\n\r\t\uD83d"`, `[]`, `[ ]`, `{}`, `{ }`, `[[],{}]`, `"` + "\x7f" + `"`} {
		f(good, "")
	}
	for _, bad := range []string{``, ` `, `00`, `01`, `-`, `+1`, `.5`, `1.`, `1e`, `1e+`, `0x1`, `tru`, `truer`, `nul`, `NaN`, `'a'`, `"`, `"\`, `"\"`, `"\x"`, `"\u12g4"`, `"\u12`,
		"\"a\tb\"", "\"12345678\x00\"", `[`, `[,]`, `[1,]`, `[1 2]`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{1:2}`, `1 2`, "\f1", "\"\xff\"", "\"\xed\xa0\x80\"", "\ufeff1"} {
		f(bad, "bad_json")
	}
	f(`{"a":1,"a":1}`, "duplicate_key")
	f(strings.Repeat("[", 64)+strings.Repeat("]", 64), "")
	f(strings.Repeat("[", 65)+strings.Repeat("]", 65), "too_deep")
}

func TestAMessageMayLeaveItsTypeOut(t *testing.T) {
	p := NewParser()
	f := func(in, want string) {
		t.Helper()
		var frame Frame
		got := ""
		if fault := p.Message([]byte(in), &frame); fault != nil {
			got = fault.Code + ": " + fault.Text
		} else {
			got = show(&frame)
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	f(`{"data":1,"to":"b"}`, `0 data=1 to="b"`)
	f(`{"type":0,"data":1}`, `0 data=1`)
	f(`{"type":4,"data":1}`, "bad_message: type must be 0")
	f(`{"type":"0","data":1}`, "bad_message: type must be an integer")
	f(`{"to":"b"}`, "data is missing")
	f(`[]`, "must be a JSON object")
}
