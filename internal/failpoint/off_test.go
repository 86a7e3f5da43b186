//go:build !failpoint

package failpoint

import "testing"

func TestOffDoesNothing(t *testing.T) {
	t.Setenv("ROWFERRY_FAILPOINT", "x:error@*")
	t.Setenv("ROWFERRY_SABOTAGE", "x")
	if Enabled || Hit("x") != nil || On("x") {
		t.Fatal("a build without the tag obeys the environment")
	}
	if n := testing.AllocsPerRun(100, func() { _ = Hit("x") }); n != 0 {
		t.Fatalf("Hit allocates %v times", n)
	}
}
