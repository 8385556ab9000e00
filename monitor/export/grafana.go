package export

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/turnomatico/tmctl/monitor"
)

// The part of Grafana's dashboard model that is used here, by the names of its JSON (schema 38, Grafana 10).
type (
	dashboard struct {
		UID           string        `json:"uid"`
		Title         string        `json:"title"`
		Tags          []string      `json:"tags"`
		SchemaVersion int           `json:"schemaVersion"`
		Editable      bool          `json:"editable"`
		Refresh       string        `json:"refresh"`
		Time          timeRange     `json:"time"`
		Templating    list[any]     `json:"templating"`
		Annotations   list[comment] `json:"annotations"`
		Panels        []panel       `json:"panels"`
	}
	timeRange struct {
		From string `json:"from"`
		To   string `json:"to"`
	}
	list[T any] struct {
		List []T `json:"list"`
	}
	source struct {
		Type string `json:"type"`
		UID  string `json:"uid"`
	}
	comment struct {
		Name       string `json:"name"`
		Source     source `json:"datasource"`
		Enable     bool   `json:"enable"`
		IconColor  string `json:"iconColor"`
		Expr       string `json:"expr"`
		TitleFrom  string `json:"titleFormat"`
		TextFormat string `json:"textFormat"`
	}
	panel struct {
		ID          int         `json:"id"`
		Type        string      `json:"type"` // row, timeseries, table
		Title       string      `json:"title"`
		Description string      `json:"description,omitempty"`
		GridPos     place       `json:"gridPos"`
		Source      *source     `json:"datasource,omitempty"`
		FieldConfig fieldConfig `json:"fieldConfig"`
		Targets     []target    `json:"targets,omitempty"`
		Transform   []any       `json:"transformations,omitempty"`
	}
	place struct {
		X int `json:"x"`
		Y int `json:"y"`
		W int `json:"w"`
		H int `json:"h"`
	}
	fieldConfig struct {
		Defaults  fieldDefaults `json:"defaults"`
		Overrides []any         `json:"overrides"`
	}
	fieldDefaults struct {
		Unit string   `json:"unit,omitempty"`
		Min  *float64 `json:"min,omitempty"`
	}
	target struct {
		RefID   string `json:"refId"`
		Expr    string `json:"expr"`
		Legend  string `json:"legendFormat"`
		Format  string `json:"format,omitempty"`
		Instant bool   `json:"instant,omitempty"`
	}
)

// prometheus is the data source that the reader chose.
var prometheus = source{"prometheus", "${source}"}

// Grafana writes a dashboard for Grafana 10 or later: what clients get, what nodes cost, the numbers, the store, and each
// node; with what fires and which processes began as annotations.
func Grafana(w io.Writer) error {
	d := dashboard{UID: "tmctl-turnos", Title: "Turnos", Tags: []string{"tmctl"}, SchemaVersion: 38, Refresh: "10s", Editable: true,
		Time: timeRange{"now-1h", "now"}}
	d.Templating.List = []any{
		map[string]any{"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
		map[string]any{"name": "node", "type": "query", "label": "Node", "datasource": prometheus, "multi": true, "includeAll": true, "allValue": ".*",
			"query": fmt.Sprintf("label_values(turno_build_info{job=%q}, instance)", monitor.Job), "refresh": 2,
			"current": map[string]any{"text": "All", "value": "$__all"}},
	}
	d.Annotations.List = []comment{
		{Name: "Alerts", Source: prometheus, Enable: true, IconColor: "red", Expr: `ALERTS{alertname=~"Turno.*",alertstate="firing"}`,
			TitleFrom: "{{alertname}}", TextFormat: "{{instance}}"},
		{Name: "Deploys", Source: prometheus, Enable: true, IconColor: "blue", Expr: pick(`changes(process_start_time_seconds{$}[1m]) > 0`),
			TitleFrom: "a process began", TextFormat: "{{instance}}"},
	}
	d.Panels = layOut(rows)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(d)
}

// Grafana's grid is 24 wide; a row's title is 1 high.
const (
	gridWidth   = 24
	panelHeight = 8
)

// layOut gives each row of graphs its place, and each panel its number.
func layOut(rows []row) (panels []panel) {
	y := 0
	for _, r := range rows {
		panels = append(panels, panel{ID: len(panels) + 1, Type: "row", Title: r.title, GridPos: place{0, y, gridWidth, 1}, FieldConfig: fieldConfig{Overrides: []any{}}})
		y++
		width := gridWidth / len(r.graphs)
		for i, g := range r.graphs {
			p := g.panel()
			p.ID, p.GridPos = len(panels)+1, place{i * width, y, width, panelHeight}
			panels = append(panels, p)
		}
		y += panelHeight
	}
	return panels
}

func (g graph) panel() panel {
	p := panel{Type: "timeseries", Title: g.title, Description: g.says, Source: &prometheus,
		FieldConfig: fieldConfig{Defaults: fieldDefaults{Unit: g.unit, Min: new(float64)}, Overrides: []any{}}}
	for i, l := range g.lines {
		t := target{RefID: string(rune('A' + i)), Expr: pick(l.expr), Legend: l.legend}
		if g.table {
			p.Type, t.Format, t.Instant = "table", "table", true
		}
		p.Targets = append(p.Targets, t)
	}
	if g.table {
		p.Transform = []any{map[string]any{"id": "joinByField", "options": map[string]any{"byField": "instance", "mode": "outer"}},
			map[string]any{"id": "organize", "options": map[string]any{"excludeByName": map[string]bool{"Time": true}, "renameByName": renamed(g.lines)}}}
	}
	return p
}

// renamed calls the columns of a table by their lines' names.
func renamed(lines []line) map[string]string {
	names := map[string]string{}
	for i, l := range lines {
		names["Value #"+string(rune('A'+i))] = l.legend
	}
	return names
}
