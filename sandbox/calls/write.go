
// Writes a result as JSON. A map is {"$dict": [[key, value], ...]}, whatever its keys are.

func rulegradeQuote(out []byte, text string) []byte {
	const digits = "0123456789abcdef"
	out = append(out, '"')
	for at := 0; at < len(text); at++ {
		switch c := text[at]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < ' ':
			out = append(append(out, "\\u00"...), digits[c>>4], digits[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}

func rulegradePutFloat(out []byte, value float64, bits int) []byte {
	switch {
	case value != value:
		return append(out, "NaN"...)
	case value-value != 0 && value > 0:
		return append(out, "Infinity"...)
	case value-value != 0:
		return append(out, "-Infinity"...)
	}
	// The shortest digits that mean this value: float32(0.1) is 0.1. And never an integer's.
	digits := rulegradeStrconv.AppendFloat(nil, value, 'g', -1, bits)
	isWhole := true
	for _, c := range digits {
		isWhole = isWhole && c != '.' && c != 'e'
	}
	if isWhole {
		digits = append(digits, ".0"...)
	}
	return append(out, digits...)
}

func rulegradePutMap(out []byte, value rulegradeReflect.Value) []byte {
	out = append(out, "{\"$dict\":["...)
	for number, key := range value.MapKeys() {
		if number > 0 {
			out = append(out, ',')
		}
		out = append(out, '[')
		if name := rulegradePut(nil, key); name[0] == '"' {
			out = append(out, name...)
		} else {
			out = rulegradeQuote(out, string(name))
		}
		out = append(out, ',')
		out = append(rulegradePut(out, value.MapIndex(key)), ']')
	}
	return append(out, "]}"...)
}

// No slice and an empty one are the same to a program, and so are maps.
func rulegradePut(out []byte, value rulegradeReflect.Value) []byte {
	switch value.Kind() {
	case rulegradeReflect.Invalid:
		return append(out, "null"...)
	case rulegradeReflect.Bool:
		return rulegradeStrconv.AppendBool(out, value.Bool())
	case rulegradeReflect.Int, rulegradeReflect.Int8, rulegradeReflect.Int16,
		rulegradeReflect.Int32, rulegradeReflect.Int64:
		return rulegradeStrconv.AppendInt(out, value.Int(), 10)
	case rulegradeReflect.Uint, rulegradeReflect.Uint8, rulegradeReflect.Uint16,
		rulegradeReflect.Uint32, rulegradeReflect.Uint64, rulegradeReflect.Uintptr:
		return rulegradeStrconv.AppendUint(out, value.Uint(), 10)
	case rulegradeReflect.Float32, rulegradeReflect.Float64:
		return rulegradePutFloat(out, value.Float(), value.Type().Bits())
	case rulegradeReflect.String:
		return rulegradeQuote(out, value.String())
	case rulegradeReflect.Pointer, rulegradeReflect.Interface:
		return rulegradePut(out, value.Elem())
	case rulegradeReflect.Slice, rulegradeReflect.Array:
		out = append(out, '[')
		for at := 0; at < value.Len(); at++ {
			if at > 0 {
				out = append(out, ',')
			}
			out = rulegradePut(out, value.Index(at))
		}
		return append(out, ']')
	case rulegradeReflect.Map:
		return rulegradePutMap(out, value)
	}
	panic("a result of type " + value.Type().String() + " is no plain data")
}
