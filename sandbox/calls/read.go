
// Reads the arguments of a call, each as its parameter's type.

// An argument is not of the parameter's type.
type rulegradeNoFit struct{}

// Reads one line of JSON, which the service wrote, in ASCII.
type rulegradeReader struct {
	text []byte
	at   int
}

func (r *rulegradeReader) next() byte {
	for r.at < len(r.text) && r.text[r.at] == ' ' {
		r.at++
	}
	if r.at == len(r.text) {
		return 0
	}
	return r.text[r.at]
}

func (r *rulegradeReader) accept(word string) bool {
	r.next()
	if r.at+len(word) > len(r.text) || string(r.text[r.at:r.at+len(word)]) != word {
		return false
	}
	r.at += len(word)
	return true
}

func (r *rulegradeReader) expect(word string) {
	if !r.accept(word) {
		panic(rulegradeNoFit{})
	}
}

// Whether another element follows in brackets whose opening one was read.
func (r *rulegradeReader) goesOn(close string, isFirst bool) bool {
	if r.accept(close) {
		return false
	}
	if !isFirst {
		r.expect(",")
	}
	return true
}

func (r *rulegradeReader) number() string {
	r.next()
	from := r.at
	for r.at < len(r.text) && (r.text[r.at] >= '0' && r.text[r.at] <= '9' || r.text[r.at] == '+' ||
		r.text[r.at] == '-' || r.text[r.at] == '.' || r.text[r.at] == 'e' || r.text[r.at] == 'E') {
		r.at++
	}
	return string(r.text[from:r.at])
}

func (r *rulegradeReader) byte() byte {
	if r.at == len(r.text) {
		panic(rulegradeNoFit{})
	}
	r.at++
	return r.text[r.at-1]
}

func (r *rulegradeReader) string() string {
	r.expect("\"")
	var units []uint16
	for {
		switch c := r.byte(); c {
		case '"':
			return string(rulegradeUtf16.Decode(units))
		case '\\':
			units = append(units, r.escaped())
		default:
			units = append(units, uint16(c))
		}
	}
}

func (r *rulegradeReader) escaped() uint16 {
	c := r.byte()
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'u':
		digits := []byte{r.byte(), r.byte(), r.byte(), r.byte()}
		unit, _ := rulegradeStrconv.ParseUint(string(digits), 16, 16)
		return uint16(unit)
	}
	return uint16(c)
}

func (r *rulegradeReader) integer(kind rulegradeReflect.Type) rulegradeReflect.Value {
	found := rulegradeReflect.New(kind).Elem()
	var err error
	if kind.Kind() >= rulegradeReflect.Uint && kind.Kind() <= rulegradeReflect.Uintptr {
		var value uint64
		value, err = rulegradeStrconv.ParseUint(r.number(), 10, kind.Bits())
		found.SetUint(value)
	} else {
		var value int64
		value, err = rulegradeStrconv.ParseInt(r.number(), 10, kind.Bits())
		found.SetInt(value)
	}
	if err != nil {
		panic(rulegradeNoFit{})
	}
	return found
}

// A byte and a rune are integers that may be meant as characters.
func (r *rulegradeReader) character(kind rulegradeReflect.Type) rulegradeReflect.Value {
	characters := []rune(r.string())
	if len(characters) != 1 || kind.Kind() == rulegradeReflect.Uint8 && characters[0] > 127 {
		panic(rulegradeNoFit{})
	}
	return rulegradeReflect.ValueOf(characters[0]).Convert(kind)
}

func (r *rulegradeReader) float(kind rulegradeReflect.Type) rulegradeReflect.Value {
	found := rulegradeReflect.New(kind).Elem()
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		if r.accept(word) {
			value, _ := rulegradeStrconv.ParseFloat(word, 64)
			found.SetFloat(value)
			return found
		}
	}
	digits := r.number()
	if digits == "" {
		panic(rulegradeNoFit{})
	}
	value, _ := rulegradeStrconv.ParseFloat(digits, kind.Bits())
	found.SetFloat(value)
	return found
}

// A key stands in quotes, whatever its type.
func (r *rulegradeReader) key(kind rulegradeReflect.Type) rulegradeReflect.Value {
	if r.next(); kind.Kind() == rulegradeReflect.String {
		return r.value(kind)
	}
	inside := &rulegradeReader{text: []byte(r.string())}
	key := inside.value(kind)
	if inside.at < len(inside.text) {
		panic(rulegradeNoFit{})
	}
	return key
}

func (r *rulegradeReader) list(kind rulegradeReflect.Type) rulegradeReflect.Value {
	items := rulegradeReflect.MakeSlice(rulegradeReflect.SliceOf(kind.Elem()), 0, 0)
	r.expect("[")
	for r.goesOn("]", items.Len() == 0) {
		items = rulegradeReflect.Append(items, r.value(kind.Elem()))
	}
	if kind.Kind() == rulegradeReflect.Slice {
		return items.Convert(kind)
	}
	if items.Len() != kind.Len() {
		panic(rulegradeNoFit{})
	}
	found := rulegradeReflect.New(kind).Elem()
	rulegradeReflect.Copy(found, items)
	return found
}

func (r *rulegradeReader) dict(kind rulegradeReflect.Type) rulegradeReflect.Value {
	found := rulegradeReflect.MakeMap(kind)
	r.expect("{")
	for isFirst := true; r.goesOn("}", isFirst); isFirst = false {
		key := r.key(kind.Key())
		r.expect(":")
		found.SetMapIndex(key, r.value(kind.Elem()))
	}
	return found
}

func (r *rulegradeReader) value(kind rulegradeReflect.Type) rulegradeReflect.Value {
	switch kind.Kind() {
	case rulegradeReflect.Bool:
		isTrue := r.accept("true")
		if !isTrue {
			r.expect("false")
		}
		return rulegradeReflect.ValueOf(isTrue).Convert(kind)
	case rulegradeReflect.String:
		return rulegradeReflect.ValueOf(r.string()).Convert(kind)
	case rulegradeReflect.Float32, rulegradeReflect.Float64:
		return r.float(kind)
	case rulegradeReflect.Slice, rulegradeReflect.Array:
		return r.list(kind)
	case rulegradeReflect.Map:
		return r.dict(kind)
	case rulegradeReflect.Pointer:
		if r.accept("null") {
			return rulegradeReflect.Zero(kind)
		}
		found := rulegradeReflect.New(kind.Elem())
		found.Elem().Set(r.value(kind.Elem()))
		return found
	case rulegradeReflect.Interface:
		return r.anything(kind)
	case rulegradeReflect.Uint8, rulegradeReflect.Int32:
		if r.next() == '"' {
			return r.character(kind)
		}
		return r.integer(kind)
	case rulegradeReflect.Struct, rulegradeReflect.Func, rulegradeReflect.Chan,
		rulegradeReflect.Complex64, rulegradeReflect.Complex128, rulegradeReflect.UnsafePointer:
		panic(rulegradeNoFit{})
	}
	return r.integer(kind)
}

func (r *rulegradeReader) anything(kind rulegradeReflect.Type) rulegradeReflect.Value {
	found := rulegradeReflect.New(kind).Elem()
	if r.accept("null") {
		return found
	}
	var like any = 0.0
	switch r.next() {
	case '"':
		like = ""
	case 't', 'f':
		like = false
	case '[':
		like = []any{}
	case '{':
		like = map[string]any{}
	default:
		from := r.at
		if _, err := rulegradeStrconv.Atoi(r.number()); err == nil {
			like = 0
		}
		r.at = from
	}
	value := r.value(rulegradeReflect.TypeOf(like))
	if !value.Type().AssignableTo(kind) {
		panic(rulegradeNoFit{})
	}
	found.Set(value)
	return found
}
