package cli

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
)

func setCommand() *command {
	return &command{
		name: "set", args: "SETTING=VALUE…", maxArgs: len(throttleLimits()),
		summary: "change how much a running engine is held back",
		about: "The settings are those of 'throttle' in the configuration: " + strings.Join(limitNames(), ", ") + "; 0 takes a limit away. They hold until the engine ends, which reads the configuration again when it is started.\n\n" +
			"source_max_running can be set while a copy loads tables, target_max_lag where the target tells how far its replicas are behind.",
		example: "rowferry set -c shop.yaml max_rows_per_second=5000",
		options: []*option{targetOption, stateOption, nameOption},
		run:     set,
	}
}

func set(ctx context.Context, in *invocation) error {
	if len(in.args) == 0 {
		return rowferry.Errorf(rowferry.CodeUsage, "rowferry set takes a setting and its value").
			Remedy("write", "rowferry set max_rows_per_second=5000").Remedy("known", "%s", strings.Join(limitNames(), ", "))
	}
	values := map[string]string{}
	for _, a := range in.args {
		name, value, found := strings.Cut(a, "=")
		if _, twice := values[name]; !found || twice {
			return rowferry.Errorf(rowferry.CodeUsage, "%q is not a setting and its value, or comes twice", a).
				Remedy("write", "rowferry set max_rows_per_second=5000")
		}
		if near := nearest(name, limitNames()); !known(name) {
			e := rowferry.Errorf(rowferry.CodeUsage, "%q cannot be changed while an engine runs", name)
			for _, n := range near {
				e.Remedy("did you mean", "%s", n)
			}
			return e.Remedy("known", "%s", strings.Join(limitNames(), ", "))
		}
		values[name] = value
	}
	if err := putLimits(&rowferry.Limits{}, values); err != nil {
		return err
	}
	return in.control(ctx, "set", values, "set", "it was so already")
}

func known(name string) bool {
	for _, n := range limitNames() {
		if n == name {
			return true
		}
	}
	return false
}

// limits are the view's limits for people.
func (v *throttleView) limits() (lines [][2]string) {
	add := func(text string) {
		name := "limits"
		if len(lines) > 0 {
			name = ""
		}
		lines = append(lines, [2]string{name, text})
	}
	if v.MaxRows > 0 {
		add(maxRowsSetting + "=" + strconv.Itoa(v.MaxRows))
	}
	if v.Running > 0 {
		add(runningSetting + "=" + strconv.Itoa(v.Running))
	}
	if v.Lag > 0 {
		add(lagSetting + "=" + time.Duration(v.Lag*float64(time.Second)).String())
	}
	return lines
}
