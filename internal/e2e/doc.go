// Package e2e tests the program as its users run it: the built binary, on logs
// recorded from real servers, into real targets. `make test` runs it small;
// SCALE=soak, which `make soak` sets, runs the same code at full scale.
package e2e
