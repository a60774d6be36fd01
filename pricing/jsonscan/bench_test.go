package jsonscan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

func BenchmarkValid(b *testing.B) {
	english := strings.Repeat(`The quick brown fox jumps over the lazy dog, \"again\".\n`, 4)
	chinese := strings.Repeat("敏捷的棕色狐狸跳过懒狗。", 10)
	for _, bm := range []struct{ name, unit string }{
		{"english", fmt.Sprintf(`{"role":"user","content":"%s"},`, english)},
		{"chinese", fmt.Sprintf(`{"role":"user","content":"%s"},`, chinese)},
		{"structure", `{"a":[1,2,3.5,-4e5,true,false,null],"bc":{"d":{},"e":"f"}},`},
	} {
		for _, size := range []int{2 << 10, 8 << 10, 100 << 10} {
			body := []byte("[" + strings.Repeat(bm.unit, size/len(bm.unit)) + "0]")
			b.Run(fmt.Sprintf("%s/%dKB", bm.name, size>>10), func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					if err := jsonscan.Valid(body); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
