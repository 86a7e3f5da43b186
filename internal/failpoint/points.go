//go:build failpoint

package failpoint

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const longestDelay = 40 * time.Millisecond

// points is what the environment asks for, and what has been hit so far.
type points struct {
	mu       sync.Mutex
	rules    map[string][]*rule
	seen     map[string]bool
	sabotage map[string]bool
	trace    *os.File
	stage    *stageFile
	do       func(name, action string) error
}

type rule struct {
	action string
	nth    uint64 // 0: not by number
	every  bool
	chance float64
	rng    *rand.Rand
	hits   uint64
	after  string // counts from the first hit of this name on; "" from the beginning
}

func load(getenv func(string) string) (*points, error) {
	p := &points{rules: map[string][]*rule{}, seen: map[string]bool{}, sabotage: map[string]bool{}, do: act}
	var seed uint64
	if s := getenv("ROWFERRY_FAILPOINT_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			return nil, fmt.Errorf("ROWFERRY_FAILPOINT_SEED: %w", err)
		}
	}
	for _, text := range split(getenv("ROWFERRY_FAILPOINT")) {
		name, r, err := parseRule(text, seed)
		if err != nil {
			return nil, fmt.Errorf("ROWFERRY_FAILPOINT: %w", err)
		}
		p.rules[name] = append(p.rules[name], r)
	}
	for _, name := range split(getenv("ROWFERRY_SABOTAGE")) {
		p.sabotage[name] = true
	}
	if path := getenv("ROWFERRY_FAILPOINT_TRACE"); path != "" {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		p.trace = f
	}
	if path := getenv("ROWFERRY_FAILPOINT_STAGE"); path != "" {
		var err error
		if p.stage, err = openStage(path); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func parseRule(text string, seed uint64) (string, *rule, error) {
	name, rest, ok := strings.Cut(text, ":")
	action, when, ok2 := strings.Cut(rest, "@")
	if !ok || !ok2 || name == "" {
		return "", nil, fmt.Errorf("%q is not name:action@when", text)
	}
	switch action {
	case "kill", "stop", "exit", "error", "enospc", "delay":
	default:
		return "", nil, fmt.Errorf("%q: unknown action %q", text, action)
	}
	when, after, _ := strings.Cut(when, "/")
	r := &rule{action: action, after: after}
	switch {
	case when == "*":
		r.every = true
	case strings.HasPrefix(when, "~"):
		p, err := strconv.ParseFloat(when[1:], 64)
		if err != nil || !(p >= 0 && p <= 1) {
			return "", nil, fmt.Errorf("%q: %q is no probability", text, when[1:])
		}
		h := fnv.New64a()
		h.Write([]byte(text))
		r.chance, r.rng = p, rand.New(rand.NewPCG(seed, h.Sum64()))
	default:
		n, err := strconv.ParseUint(when, 10, 64)
		if err != nil || n == 0 {
			return "", nil, fmt.Errorf("%q: %q is no hit number", text, when)
		}
		r.nth = n
	}
	return name, r, nil
}

// strikes counts a hit and reports whether the rule acts on it.
func (r *rule) strikes() bool {
	r.hits++
	switch {
	case r.every:
		return true
	case r.rng != nil:
		return r.rng.Float64() < r.chance
	default:
		return r.hits == r.nth
	}
}

func (p *points) hit(name string) error {
	action := p.note(name)
	if action == "" {
		return nil
	}
	return p.do(name, action)
}

// note records the hit and returns the action to take, or "".
func (p *points) note(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage != nil {
		p.stage.set(name)
	}
	if !p.seen[name] {
		p.seen[name] = true
		p.tell("hit " + name)
	}
	action := ""
	for _, r := range p.rules[name] {
		if (r.after == "" || p.seen[r.after]) && r.strikes() && action == "" {
			action = r.action
		}
	}
	if action != "" {
		p.tell("struck " + name + " " + action)
	}
	return action
}

func (p *points) tell(line string) {
	if p.trace == nil {
		return
	}
	if _, err := p.trace.WriteString(line + "\n"); err != nil {
		panic("failpoint: " + err.Error())
	}
}

func act(name, action string) error {
	switch action {
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // nothing may happen between the signal and its arrival
	case "stop":
		// It is sent to this thread, which has it before it goes on: another one would
		// stop this one a moment later.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		return syscall.Tgkill(os.Getpid(), syscall.Gettid(), syscall.SIGSTOP)
	case "exit":
		os.Exit(ExitCode)
		return nil
	case "enospc":
		return fmt.Errorf("%w: %s: %w", ErrInjected, name, syscall.ENOSPC)
	case "error":
		return fmt.Errorf("%w: %s", ErrInjected, name)
	case "delay":
		time.Sleep(rand.N(longestDelay))
		return nil
	default:
		panic("failpoint: unknown action " + action)
	}
}
