package wire

import "testing"

func TestUnquote(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := string(Unquote([]byte("> "), []byte(in))); got != "> "+want {
			t.Errorf("Unquote(%s) = %q, want %q", in, got, "> "+want)
		}
	}
	f(`""`, "")
	f(`"plain"`, "plain")
	f(`"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t")
	f(`"a\u00e9\u20AC\u0000z"`, "aé€\x00z")
	f(`"\ud83d\ude00!"`, "😀!")
	f(`"\ud83d"`, "\uFFFD")
	f(`"\ude00\ud83d"`, "\uFFFD\uFFFD")
	f(`"\ud83d\u0041"`, "\uFFFDA")
	f(`"\ud83d\ud83d\ude00"`, "\uFFFD😀")
	f(`"\ud83d\n"`, "\uFFFD\n")
}

func TestAppendString(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := string(AppendString([]byte("> "), in)); got != "> "+want {
			t.Errorf("AppendString(%q) = %s, want %s", in, got, "> "+want)
		}
	}
	f("", `""`)
	f("client-123", `"client-123"`)
	f(`say "hi" \ /`, `"say \"hi\" \\ /"`)
	f("\n\r\t\b\x00\x1f\x7f", `"\n\r\t\u0008\u0000\u001f`+"\x7f"+`"`)
	f("é€😀\uFFFD", `"é€😀`+"\uFFFD"+`"`)
	f("a\u2028b\u2029", `"a\u2028b\u2029"`)
	f("a\xffb\xe2\x82", `"a\ufffdb\ufffd\ufffd"`)
	f("\xed\xa0\x80", `"\ufffd\ufffd\ufffd"`)
}
