package notify

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/turnomatico/tmctl/monitor"
)

// Receiver is somebody who is told, and in which form.
type Receiver struct {
	Name    string // its host: the rest of the URL may be a secret
	url     string
	encode  func(all []monitor.Status, now time.Time) ([]byte, error)
	reminds bool // it forgets what it is not reminded of
}

// Alertmanager forgets an alert at its endsAt. It is reminded often enough that one lost reminder does not matter.
const (
	remindEvery = time.Minute
	forgetAfter = 4 * time.Minute
)

var errURL = errors.New("want https://HOST/… for JSON, slack+https://hooks.slack.com/… or alertmanager+http://HOST:9093")

// Parse reads a receiver's URL, whose scheme says what it understands. Errors don't show it: it may be a secret.
func Parse(s string) (Receiver, error) {
	form, rest, has := strings.Cut(s, "+")
	if scheme, _, _ := strings.Cut(s, ":"); !has || len(form) > len(scheme) {
		form, rest = "json", s
	}
	u, err := url.Parse(rest)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return Receiver{}, errURL
	}
	r := Receiver{Name: u.Host, url: rest}
	switch form {
	case "json":
		r.encode = encodeJSON
	case "slack":
		r.encode = encodeSlack
	case "alertmanager":
		r.encode, r.reminds = encodeAlertmanager, true
		r.url = u.JoinPath("/api/v2/alerts").String()
	default:
		return Receiver{}, errURL
	}
	return r, nil
}

// message is what a webhook gets. The names are a contract.
type message struct {
	Status monitor.State    `json:"status"` // firing if any of the alerts is
	Alerts []monitor.Notice `json:"alerts"`
}

func encodeJSON(all []monitor.Status, _ time.Time) ([]byte, error) {
	m := message{Status: monitor.Resolved}
	for i := range all {
		m.Alerts = append(m.Alerts, all[i].Notice())
		if all[i].State == monitor.Firing {
			m.Status = monitor.Firing
		}
	}
	return json.Marshal(m)
}

// slackText are the characters that Slack wants escaped, and no others.
var slackText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// encodeSlack is a message of one line an alert, as incoming webhooks of Slack and those that imitate it take it.
func encodeSlack(all []monitor.Status, _ time.Time) ([]byte, error) {
	var lines []string
	for i := range all {
		s := &all[i]
		line := ":rotating_light: *" + s.Name + "* (" + string(s.Severity) + ") " + slackText.Replace(s.Line()) + " <" + s.Runbook() + "|runbook>"
		if s.State == monitor.Resolved {
			line = ":white_check_mark: *" + s.Name + "* resolved after " + s.Took().Round(time.Second).String() + ": " + slackText.Replace(s.Line())
		}
		lines = append(lines, line)
	}
	return json.Marshal(map[string]string{"text": strings.Join(lines, "\n")})
}

// posted is an alert in Alertmanager's API v2.
type posted struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// encodeAlertmanager has the labels of the exported Prometheus rules, so that Alertmanager takes both for one.
func encodeAlertmanager(all []monitor.Status, now time.Time) ([]byte, error) {
	list := make([]posted, len(all))
	for i := range all {
		s := &all[i]
		list[i] = posted{Labels: s.Labels(), Annotations: s.Annotations(), StartsAt: s.Fired, EndsAt: now.Add(forgetAfter)}
		if s.State == monitor.Resolved {
			list[i].EndsAt = s.At
		}
	}
	return json.Marshal(list)
}
