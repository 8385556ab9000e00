package targettest

import (
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/server/api"
)

const (
	notConsumed   = "X-Turno-Consumed: no\r\nRetry-After: 1\r\n"
	maybeConsumed = "X-Turno-Consumed: maybe\r\n"
)

// refusing are servers that answer, but not with a 200. None of their numbers is wrong.
var refusing = []Behaviour{
	{Name: "429-not-consumed", Doc: "refuses 3 in 10 with 429 and X-Turno-Consumed: no",
		Want: Want{Verdict: history.SLOMissed, Reason: history.NotConsumed, Limit: history.LimitErrors},
		act:  often(refuse("429 Too Many Requests", notConsumed, api.TooManyIDs))},
	{Name: "503-not-consumed", Doc: "refuses one in a period with 503 and x-turno-consumed:no; the objective allows it",
		Want: Want{Verdict: history.Pass, Reason: history.NotConsumed}, Args: laxly(), Period: 100,
		act: sometimes(refuse("503 Service Unavailable", "x-turno-consumed:no\r\n", api.Overloaded))},
	{Name: "503-silent", Doc: "refuses 3 in 10 with 503 and no word about the number; none is consumed",
		Want: Want{Verdict: history.SLOMissed, Reason: history.BadStatus, Limit: history.LimitErrors},
		act:  often(refuse("503 Service Unavailable", "", api.Overloaded))},
	{Name: "503-maybe", Doc: "one 503 in a period says X-Turno-Consumed: maybe, and it was", Args: laxly(), Period: 100,
		Want: burned(history.BadStatus),
		act:  sometimes(consuming(refuse("503 Service Unavailable", maybeConsumed, api.StoreUnavailable)))},
	{Name: "503-lies", Doc: "one 503 in a period says X-Turno-Consumed: no, but it was", Args: laxly(), Period: 100,
		Want: Want{Verdict: history.Violated, Finding: history.Gap, Reason: history.NotConsumed},
		act:  sometimes(consuming(refuse("503 Service Unavailable", notConsumed, api.StoreUnavailable)))},
	{Name: "404", Doc: "404 problem+json", Want: noAnswers, act: notFound},
	{Name: "500", Doc: "500 with a page of HTML", Want: noAnswers,
		body: text("<h1>Internal Server Error</h1>"), act: as(framed("HTTP/1.1 500 Internal Server Error\r\n"+length, blank))},
	{Name: "201", Doc: "the right body, with 201", Want: noAnswers, act: as(framed("HTTP/1.1 201 Created\r\n"+isJSON+length, blank))},
	{Name: "202", Doc: "the right body, with 202", Want: noAnswers, act: as(framed("HTTP/1.1 202 Accepted\r\n"+isJSON+length, blank))},
	{Name: "204", Doc: "204, and no body", Want: noAnswers, act: consuming(lines("HTTP/1.1 204 No Content" + blank))},
	{Name: "304", Doc: "304 after having incremented", Want: noAnswers,
		act: consuming(lines("HTTP/1.1 304 Not Modified\r\nETag: \"1\"" + blank))},
	{Name: "302", Doc: "a redirect; who follows it is counted by Elsewhere", Want: noAnswers, act: elsewhere("302 Found")},
	{Name: "307", Doc: "a redirect that keeps the method", Want: noAnswers, act: elsewhere("307 Temporary Redirect")},
}

// lossy are servers that die, hang, or lose answers. None of their numbers is wrong.
var lossy = []Behaviour{
	{Name: "refused", Doc: "the port is closed", Want: Want{}, refused: true},
	{Name: "slams", Doc: "accepts, and closes at once", slams: true,
		Want: Want{Verdict: history.SLOMissed, Reason: history.Reset, Limit: history.TargetLost}},
	{Name: "dies", Doc: "dies after so many answers: connections closed, port closed", Want: lost, After: 300, act: dying},
	{Name: "hangs", Doc: "reads, and answers no more, after so many answers", After: 300, Args: []string{"--timeout", "300ms"},
		Want: Want{Verdict: history.SLOMissed, Reason: history.TimedOut, Limit: history.TargetLost}, act: hanging},
	{Name: "hangs-at-once", Doc: "reads, and never answers", Args: []string{"--timeout", "300ms"},
		Want: Want{Verdict: history.SLOMissed, Reason: history.TimedOut, Limit: history.TargetLost}, act: silent},
	{Name: "reset-consumed", Doc: "takes a number and resets the connection, once in a period",
		Want: burned(history.Reset), Args: laxly(), Period: 100, act: sometimes(consuming(reset))},
	{Name: "reset-not-consumed", Doc: "resets the connection and takes no number, once in a period",
		Want: Want{Verdict: history.Pass, Reason: history.Reset}, Args: laxly(), Period: 100, act: sometimes(reset)},
	{Name: "timeout-consumed", Doc: "takes a number and never answers, once in a period",
		Want: burned(history.TimedOut), Args: laxly("--timeout", "300ms"), Period: 200, act: sometimes(consuming(silent))},
	{Name: "timeout-not-consumed", Doc: "never answers and takes no number, once in a period",
		Want: Want{Verdict: history.Pass, Reason: history.TimedOut}, Args: laxly("--timeout", "300ms"), Period: 200,
		act: sometimes(silent)},
	{Name: "answers-too-late", Doc: "takes a number after Latency, longer than the timeout, and answers then, once in a period",
		Want: burned(history.TimedOut), Args: laxly("--timeout", "300ms"), Period: 200, Latency: 500 * time.Millisecond,
		act: sometimes(thinking)},
	{Name: "truncated", Doc: "closes before the body is whole, once in a period",
		Want: burned(history.Reset), Args: laxly(), Period: 100, act: sometimes(as(miscounted(1)))},
	{Name: "truncated-chunk", Doc: "closes before the last chunk, once in a period", Want: burned(history.Reset),
		Args: laxly(), Period: 100, act: sometimes(as(bare(chunkedHead + "FF\r\n")))},
	{Name: "truncated-header", Doc: "closes within the header, once in a period", Want: burned(history.Reset),
		Args: laxly(), Period: 100, act: sometimes(consuming(says("HTTP/1.1 200 OK\r\nContent-Le")))},
	{Name: "garbage", Doc: "speaks another protocol: it is there, but it answers nothing", act: says("SSH-2.0-OpenSSH_9.2p1\r\n"),
		Want: Want{Verdict: history.Inconclusive, Reason: history.BadHTTP}},
	{Name: "garbage-sometimes", Doc: "takes a number and answers with noise, once in a period", Want: burned(history.BadHTTP),
		Args: laxly(), Period: 100, act: sometimes(consuming(says("\x00\x01\x02 what?\r\n\r\n")))},
	{Name: "two-lengths", Doc: "two Content-Lengths that differ, once in a period: not HTTP (RFC 9112 §6.3)",
		Want: burned(history.BadHTTP), Args: laxly(), Period: 100, act: sometimes(as(twoLengths))},
	{Name: "surplus", Doc: "bytes after the answer that belong to none", Want: pass, wire: surplus},
	{Name: "answers-twice", Doc: "each answer is written two times: the second belongs to no request", Want: pass, wire: twice},
}
