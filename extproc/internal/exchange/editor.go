package exchange

import "github.com/farebox-mesh/farebox/pricing/provider"

// editor changes an answer as it passes. Each of its parts may be nil.
type editor struct {
	usage   *provider.UsageStripper // takes out the usage that farebox asked for and the client did not
	leaving bool                    // the rest passes as it comes
}

// write returns what goes on in the place of a piece.
func (e *editor) write(piece []byte, last bool) []byte {
	out := piece
	if e.usage != nil {
		out = e.usage.Write(out)
		if last || e.leaving {
			out = append(out, e.usage.Close()...)
		}
	}
	return out
}

// edited is what becomes of a piece of the response.
func (x *Exchange) edited(piece []byte, last bool) Piece {
	if x.editor == nil {
		return Piece{}
	}
	out := Piece{Edited: true, Body: x.editor.write(piece, last)}
	if x.editor.leaving {
		x.editor = nil
	}
	return out
}
