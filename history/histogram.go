package history

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Histogram counts durations from 1 µs to 1 hour with 3 significant digits (HdrHistogram, Gil Tene). The zero value is
// ready. In JSON it is the interchange form that HdrHistogram tools read: a base64 string, V2 compressed.
type Histogram struct{ h *hdr.Histogram }

const (
	histogramUnit = time.Microsecond / 10
	histogramMax  = int64(time.Hour / histogramUnit)
)

// Record counts one duration; those outside the range count at its edge.
func (h *Histogram) Record(d time.Duration) {
	if h.h == nil {
		h.h = hdr.New(1, histogramMax, 3)
	}
	v := min(max(int64((d+histogramUnit/2)/histogramUnit), 0), histogramMax)
	_ = h.h.RecordValue(v) // in range by the line above
}

// Merge adds all that o counted.
func (h *Histogram) Merge(o *Histogram) {
	if o == nil || o.h == nil {
		return
	}
	if h.h == nil {
		h.h = hdr.New(1, histogramMax, 3)
	}
	h.h.Merge(o.h)
}

// Count is how many durations were recorded.
func (h *Histogram) Count() int64 {
	if h == nil || h.h == nil {
		return 0
	}
	return h.h.TotalCount()
}

// Quantile is the duration that a share q in [0,1] of all does not exceed; 0 for an empty histogram.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.h.ValueAtQuantile(q*100)) * histogramUnit
}

// Max is the largest duration recorded.
func (h *Histogram) Max() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.h.Max()) * histogramUnit
}

// Percentiles reads the usual five.
func (h *Histogram) Percentiles() Percentiles {
	return Percentiles{P50: h.Quantile(.5), P90: h.Quantile(.9), P99: h.Quantile(.99), P999: h.Quantile(.999), Max: h.Max()}
}

// Reset forgets everything.
func (h *Histogram) Reset() {
	if h.h != nil {
		h.h.Reset()
	}
}

// MarshalJSON writes the V2 compressed form, or null for an empty histogram.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	if h.Count() == 0 {
		return []byte("null"), nil
	}
	b, err := h.h.Encode(hdr.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("encode histogram: %w", err)
	}
	return json.Marshal(string(b))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Histogram) UnmarshalJSON(b []byte) (err error) {
	defer func() { // the decoder of hdrhistogram-go indexes without looking on damaged input
		if r := recover(); r != nil {
			err = fmt.Errorf("decode histogram: damaged")
		}
	}()
	var s string
	if err := json.Unmarshal(b, &s); err != nil || s == "" {
		return err
	}
	d, err := hdr.Decode([]byte(s))
	if err != nil {
		return fmt.Errorf("decode histogram: %w", err)
	}
	if d.HighestTrackableValue() > math.MaxInt64/int64(histogramUnit) {
		return fmt.Errorf("decode histogram: range too large")
	}
	h.h = d
	return nil
}
