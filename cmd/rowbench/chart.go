package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// Sizes of the chart, in pixels.
const (
	chartWidth  = 820
	chartLeft   = 290 // where bars begin
	chartRight  = 130 // for the numbers behind them
	chartTop    = 70
	chartLine   = 24
	chartBar    = 12
	chartBottom = 46
)

// The ratios at the chart's ends, which has a logarithmic scale.
const (
	leastRatio = 1.0 / 4
	mostRatio  = 64
)

const chartStyle = `
  .bg { fill: #ffffff } .text { fill: #1f2328 } .faint { fill: #59636e } .grid { stroke: #d1d9e0 } .one { stroke: #59636e }
  .good { fill: #1a7f37 } .fair { fill: #0969da } .poor { fill: #bc4c00 } .none { fill: #d1d9e0 } .range { stroke: #1f2328 } .reach { stroke: #1f2328 } .aim { stroke: #8250df }
  @media (prefers-color-scheme: dark) {
    .bg { fill: #0d1117 } .text { fill: #f0f6fc } .faint { fill: #9198a1 } .grid { stroke: #3d444d } .one { stroke: #9198a1 }
    .good { fill: #3fb950 } .fair { fill: #4493f8 } .poor { fill: #f0883e } .none { fill: #3d444d } .range { stroke: #f0f6fc } .reach { stroke: #f0f6fc } .aim { stroke: #ab7df8 }
  }
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif }`

// chart draws the ratios of throughput, in which more is better, as a picture
// that is legible on light and on dark ground. Bars begin at 1, the native
// replica's own rate.
func (r *report) chart() []byte {
	var drawn []*entry
	for _, e := range r.Results {
		if e.RatioMedian != nil && e.Native != nil && e.Better == "higher" {
			drawn = append(drawn, e)
		}
	}
	height := chartTop + len(drawn)*chartLine + chartBottom
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`, chartWidth, height, chartWidth, height)
	fmt.Fprintf(&b, "\n<title>Rowferry's throughput, in times the native replica's</title>\n<style>%s\n</style>\n", chartStyle)
	fmt.Fprintf(&b, "<rect class=\"bg\" width=\"%d\" height=\"%d\"/>\n", chartWidth, height)
	write(&b, 16, 26, "text", "start", "Rowferry's throughput, in times the native replica's with its fastest worker count")
	write(&b, 16, 46, "faint", "start", fmt.Sprintf("%s, %d cores, %s form; median of the turns, minimum and maximum", r.Machine.CPU, r.Machine.Cores, r.Form))
	bottom := chartTop + len(drawn)*chartLine
	for ratio := leastRatio; ratio <= mostRatio; ratio *= 2 {
		class := "grid"
		if ratio == 1 {
			class = "one"
		}
		line(&b, class, ratioAt(ratio), chartTop-6, ratioAt(ratio), float64(bottom), 1)
		write(&b, ratioAt(ratio), float64(bottom)+16, "faint", "middle", ratioLabel(ratio))
	}
	for i, e := range drawn {
		e.draw(&b, float64(chartTop+i*chartLine))
	}
	write(&b, chartWidth-16, float64(bottom)+36, "faint", "end", "Ticks: black or white must be reached, violet is aimed at. Grey does not count.")
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// draw draws an entry's line, whose top is at y.
func (e *entry) draw(b *strings.Builder, y float64) {
	middle, top := y+chartLine/2, y+(chartLine-chartBar)/2
	write(b, chartLeft-12, middle+4, "text", "end", fmt.Sprintf("%s, %s, %s", e.Pair, e.Workload, e.Durability))
	class := map[string]string{"aim": "good", "reach": "fair", "void": "none"}[e.verdict()]
	if class == "" {
		class = "poor"
	}
	from, to := ratioAt(1), ratioAt(*e.RatioMedian)
	fmt.Fprintf(b, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>\n", class, min(from, to), top, max(1, math.Abs(to-from)), chartBar)
	line(b, "range", ratioAt(*e.RatioMin), middle, ratioAt(*e.RatioMax), middle, 1.5)
	if e.Reach != nil {
		line(b, "reach", ratioAt(*e.Reach), top-3, ratioAt(*e.Reach), top+chartBar+3, 2)
	}
	if e.Aim != nil {
		line(b, "aim", ratioAt(*e.Aim), top-3, ratioAt(*e.Aim), top+chartBar+3, 2)
	}
	write(b, chartWidth-chartRight+12, middle+4, "text", "start", fmt.Sprintf("%s (%s)", ratioLabel(*e.RatioMedian), e.verdict()))
}

// ratioAt is where a ratio is, in pixels from the left; one that is beyond an
// end is at the end.
func ratioAt(ratio float64) float64 {
	share := math.Log(min(max(ratio, leastRatio), mostRatio)/leastRatio) / math.Log(mostRatio/leastRatio)
	return chartLeft + share*(chartWidth-chartLeft-chartRight)
}

// ratioLabel prints a ratio with two digits that count.
func ratioLabel(ratio float64) string {
	switch {
	case ratio >= 10:
		return fmt.Sprintf("%.0f×", ratio)
	case ratio >= 1 && ratio == math.Trunc(ratio):
		return fmt.Sprintf("%.0f×", ratio)
	case ratio >= 1:
		return fmt.Sprintf("%.1f×", ratio)
	default:
		return fmt.Sprintf("%.2g×", ratio)
	}
}

func line(b *strings.Builder, class string, x1, y1, x2, y2, width float64) {
	fmt.Fprintf(b, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke-width=\"%g\"/>\n", class, x1, y1, x2, y2, width)
}

func write(b *strings.Builder, x, y float64, class, anchor, text string) {
	fmt.Fprintf(b, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", class, x, y, anchor)
	_ = xml.EscapeText(b, []byte(text)) // a Builder takes everything
	b.WriteString("</text>\n")
}
