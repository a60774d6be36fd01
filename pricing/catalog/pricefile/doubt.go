package pricefile

import "errors"

// Doubt is what is possible in a file but probably not meant.
type Doubt struct {
	Listing       int    // its index
	Key           string // of the value in it; of a provider, that of the whole file where the listing has none
	Message, Hint string
}

// Places finds doubts about a text, which Overlay has read, in it. Of many it keeps the first, as Mistakes says.
func Places(text []byte, doubts []Doubt) Mistakes {
	if len(doubts) == 0 {
		return nil
	}
	errs := make([]error, 0, len(doubts))
	for i := range doubts[:min(len(doubts), maxMistakes+1)] {
		d := &doubts[i]
		err := error(&hinted{d.Hint, errors.New(d.Message)})
		if own := at("listings", at(d.Listing, at(d.Key, err))); d.Key != "provider" || stands(text, own) {
			errs = append(errs, own)
			continue
		}
		errs = append(errs, at(d.Key, err))
	}
	return mistakesOf(text, errs)
}

// stands reports whether the place of an error has a value of its own in a text.
func stands(text []byte, err error) bool {
	places := map[string]span{path(keysOf(err)): {}}
	o := newOutline(text)
	o.places = places
	o.document()
	return places[path(keysOf(err))] != span{}
}
