package jsonl

import "testing"

// FuzzParseExtent: what is read from a state directory is read back the same.
func FuzzParseExtent(f *testing.F) {
	for _, seed := range []string{"/a b/c 12 0000beef", "", " ", "a 1 1", "/a -1 0", "/a 1 100000000", " 1 1", "/a  1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := parseExtent(text)
		if err != nil {
			return
		}
		if again, err := parseExtent(e.String()); err != nil || again != e || e.size < 0 || e.path == "" {
			t.Errorf("%q is %+v, then %+v, %v", text, e, again, err)
		}
	})
}
