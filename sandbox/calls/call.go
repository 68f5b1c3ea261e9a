
// Calls a function: its arguments come as JSON on stdin, its result leaves as JSON on descriptor 3.
//
// All of this is at the mercy of the submission, which stands in the same program. What it writes
// is data, compared elsewhere with a value that is not here.

func rulegradeServe(function any) {
	text, err := rulegradeIo.ReadAll(rulegradeOs.Stdin)
	from := &rulegradeReader{text: text}
	if err != nil || !from.accept("{\"args\":") || !from.accept("[") {
		panic("no arguments of a call")
	}
	called := rulegradeReflect.ValueOf(function)
	results := called.Call(rulegradeArguments(from, called.Type()))
	out := rulegradePut(nil, rulegradeResult(results))
	if _, err := rulegradeOs.NewFile(3, "result").Write(out); err != nil {
		panic(err)
	}
}

func rulegradeArguments(from *rulegradeReader, function rulegradeReflect.Type) []rulegradeReflect.Value {
	var types []rulegradeReflect.Type
	for number := 0; number < function.NumIn(); number++ {
		types = append(types, function.In(number))
	}
	needed := len(types)
	if function.IsVariadic() {
		needed--
		types[needed] = types[needed].Elem()
	}
	var found []rulegradeReflect.Value
	for from.goesOn("]", len(found) == 0) {
		if function.IsVariadic() && len(found) >= len(types) {
			types = append(types, types[needed])
		}
		if len(found) == len(types) {
			panic("the call has more than " + rulegradeStrconv.Itoa(needed) + " arguments")
		}
		found = append(found, rulegradeArgument(from, types[len(found)], len(found)+1))
	}
	if len(found) < needed {
		panic("the call has only " + rulegradeStrconv.Itoa(len(found)) + " arguments")
	}
	return found
}

func rulegradeArgument(from *rulegradeReader, kind rulegradeReflect.Type, number int) rulegradeReflect.Value {
	defer func() {
		if _, isNoFit := recover().(rulegradeNoFit); isNoFit {
			panic("argument " + rulegradeStrconv.Itoa(number) + " of the call is no " + kind.String())
		}
	}()
	return from.value(kind)
}

// An error at the end is no result, as an exception is none in other languages.
func rulegradeResult(results []rulegradeReflect.Value) rulegradeReflect.Value {
	anError := rulegradeReflect.TypeOf((*error)(nil)).Elem()
	if last := len(results) - 1; last >= 0 && results[last].Type() == anError {
		if !results[last].IsNil() {
			panic("the function returned an error")
		}
		results = results[:last]
	}
	if len(results) == 1 {
		return results[0]
	}
	if len(results) == 0 {
		return rulegradeReflect.Value{}
	}
	var parts []any
	for _, result := range results {
		parts = append(parts, result.Interface())
	}
	return rulegradeReflect.ValueOf(parts)
}
