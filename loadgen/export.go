package loadgen

import (
	"io"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/turnomatico/tmctl/history"
)

// VegetaResult is op as vegeta's report and plot read it. Its latency is corrected for coordinated omission, so its
// timestamp is when the hit could have been sent. seq numbers the results of a run from 0.
func VegetaResult(r *history.Run, op *history.Op, seq uint64) *vegeta.Result {
	res := &vegeta.Result{
		Attack: "tmctl", Seq: seq, Code: op.Status, Method: r.Plan.Method,
		Timestamp: r.Started.Add(op.Call - op.Wait), Latency: op.Latency(),
		URL: Target{url: r.Plan.Target}.URL(r.IDs[op.ID]),
	}
	if op.Outcome != history.OK {
		res.Error = op.Outcome.String() + ": " + op.Reason.String()
	}
	return res
}

// VegetaEncoders are the formats that vegeta reads, by name: each makes an encoder that writes to w.
var VegetaEncoders = []struct {
	Name string
	New  func(io.Writer) vegeta.Encoder
}{{"gob", vegeta.NewEncoder}, {"json", vegeta.NewJSONEncoder}, {"csv", vegeta.NewCSVEncoder}}
