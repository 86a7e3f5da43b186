package sqlsink

import (
	"strconv"
	"testing"
)

// TestStatements: what was used longest ago goes first, by number and by
// parameters, and everything that goes is closed once.
func TestStatements(t *testing.T) {
	closed := map[int]int{}
	c := NewStatements(func(s int) { closed[s]++ })
	a, b := &Table{}, &Table{}
	for i := range MaxStatements {
		c.Add(a, []byte(strconv.Itoa(i)), i, 1)
	}
	if s, ok := c.Get(a, []byte("0")); !ok || s != 0 {
		t.Fatalf("statement 0: %d, %v", s, ok)
	}
	c.Add(b, []byte("0"), 1<<20, 1)
	if _, ok := c.Get(a, []byte("1")); ok || closed[1] != 1 || closed[0] != 0 {
		t.Errorf("closed %v, want 1 alone", closed)
	}
	c.Add(b, []byte("wide"), 1<<20+1, MaxParams)
	if n, params := c.Len(); n != 1 || params != MaxParams {
		t.Errorf("%d statements with %d parameters, want the wide one", n, params)
	}
	c.Drop(a)
	c.Drop(b)
	c.Add(b, []byte("x"), 1<<20+2, 3)
	c.Clear()
	if n, params := c.Len(); n != 0 || params != 0 || len(c.found) != 0 || len(closed) != MaxStatements+3 {
		t.Errorf("%d statements with %d parameters are left, %d closed", n, params, len(closed))
	}
	for s, n := range closed {
		if n != 1 {
			t.Errorf("statement %d was closed %d times", s, n)
		}
	}
}
