package token

import "strings"

// Failing names the set while it cannot be fetched: the keys from before stay, if
// there were any. "" says that all is well.
func (r *Remote) Failing() string {
	if !r.failing.Load() && len(r.Keys()) > 0 {
		return ""
	}
	name, _, _ := strings.Cut(r.url, "?")
	return name
}

// Failing names the file while it cannot be used: the keys from before stay.
func (f *File) Failing() string {
	if f.failing.Load() {
		return f.Name
	}
	return ""
}

// Failing says that all is well.
func (Keys) Failing() string { return "" }
