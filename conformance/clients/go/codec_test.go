package fanfare

import (
	"testing"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

func TestJoinedFramesAreOneMessage(t *testing.T) {
	c := codecs[SubprotocolBinary]
	one, _ := c.marshal(&fanfarev1.ServerFrames{Frames: []*fanfarev1.ServerFrame{{Id: 1}}})
	two, _ := c.marshal(&fanfarev1.ServerFrames{Frames: []*fanfarev1.ServerFrame{{Id: 2}, {Id: 3}}})
	var joined fanfarev1.ServerFrames
	if err := c.unmarshal(append(one, two...), &joined); err != nil || len(joined.GetFrames()) != 3 {
		t.Errorf("[FF-TR-010] %v, %v", &joined, err)
	}
}

func TestWhatIsNotKnownInJSONIsIgnored(t *testing.T) {
	text := `{"new":1,"frames":[{"id":4,"reply":{"publish_result":{"outcome":"OUTCOME_NEW","repeated":true,"new":null}}}]}`
	var frames fanfarev1.ServerFrames
	if err := codecs[SubprotocolJSON].unmarshal([]byte(text), &frames); err != nil {
		t.Fatal(err)
	}
	result := frames.GetFrames()[0].GetReply().GetPublishResult()
	if result.GetOutcome() != fanfarev1.Outcome_OUTCOME_UNSPECIFIED || !result.GetRepeated() {
		t.Errorf("[FF-JS-004 FF-JS-005] %v", result)
	}
}
