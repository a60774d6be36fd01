package provider

// cacheControl marks the end of a prefix that Anthropic caches for five minutes. A mark costs the write price once
// and the read price whenever the prefix comes again within that time.
const cacheControl = `"cache_control":{"type":"ephemeral"}`

// markPrefix appends the edits that mark the last tool and the last block of the system prompt: two of the four
// marks that a call may have. A system prompt that is a string becomes a list of one block, around the string as it
// is. There is no mark where the API refuses one: on an empty text, on a tool whose loading is deferred.
func (r *Request) markPrefix(edits []Edit) []Edit {
	edits = r.markObject(edits, r.lastTool)
	edits = r.markObject(edits, r.lastBlock)
	if r.system.End > 0 {
		edits = append(edits,
			Edit{Span: Span{r.system.Start, r.system.Start}, New: `[{"type":"text","text":`},
			Edit{Span: Span{r.system.End, r.system.End}, New: `,` + cacheControl + `}]`})
	}
	return edits
}

// markObject appends the edit that adds a mark at the end of an object, if that is there and has members.
func (r *Request) markObject(edits []Edit, object Span) []Edit {
	if object.End == 0 || blankJSON(r.body[object.Start+1:object.End-1]) {
		return edits
	}
	at := object.End - 1
	return append(edits, Edit{Span: Span{at, at}, New: `,` + cacheControl})
}
