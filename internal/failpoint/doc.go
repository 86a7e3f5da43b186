// Package failpoint lets tests break the program at named places. Without the
// build tag "failpoint" every call is a constant that the compiler removes.
//
// With the tag, Hit obeys these environment variables:
//
//	ROWFERRY_FAILPOINT        name:action@when[,name:action@when…]
//	ROWFERRY_FAILPOINT_SEED   seed of @~P, a decimal number; 0 when not set
//	ROWFERRY_FAILPOINT_TRACE  file to append to: "hit NAME" at the first hit of
//	                          each name, "struck NAME ACTION" before an action
//	ROWFERRY_FAILPOINT_STAGE  file that always holds the name hit last; see ReadStage
//	ROWFERRY_SABOTAGE         name[,name…]; see On
//
// Actions: kill (SIGKILL to this process), stop (SIGSTOP; Hit returns nil once
// it is continued), exit (exit code 86), error (Hit returns an error wrapping
// ErrInjected), enospc (as error, wrapping syscall.ENOSPC too), delay (Hit returns
// nil after a random time of at most 40 ms). When: a number N strikes at the N-th
// hit only, * at each, ~P at each with probability P between 0 and 1; followed by
// /NAME it holds from the first hit of NAME on. What cannot be parsed panics at
// the first use: a test that misspells its failpoint must not pass.
package failpoint

import "errors"

// ErrInjected is the cause of every error that Hit returns.
var ErrInjected = errors.New("injected by a failpoint")

// ExitCode is the exit code of the action "exit".
const ExitCode = 86
