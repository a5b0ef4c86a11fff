// Serves the functions of a Go program over the channel. It runs inside the program's own process, so it guards nothing: whatever comes out of this
// process is read as a value, and values are judged elsewhere. The generated file beside it has the table of functions.
package main

import (
	ruminateBinary "encoding/binary"
	ruminateJson "encoding/json"
	ruminateFmt "fmt"
	ruminateIo "io"
	ruminateMath "math"
	ruminateBig "math/big"
	ruminateOs "os"
	ruminateReflect "reflect"
	ruminateConv "strconv"
	ruminateStrings "strings"
)

type ruminateFrame struct {
	On   string        `json:"on"`
	Args []interface{} `json:"args"`
}

func ruminateServe(functions map[string]interface{}) {
	channel := ruminateOs.NewFile(3, "channel")
	ruminateSend(channel, `{"names":[],"errors":{}}`)
	for {
		var head [4]byte
		if _, err := ruminateIo.ReadFull(channel, head[:]); err != nil {
			ruminateOs.Exit(0)
		}
		text := make([]byte, ruminateBinary.LittleEndian.Uint32(head[:]))
		if _, err := ruminateIo.ReadFull(channel, text); err != nil {
			ruminateOs.Exit(0)
		}
		ruminateSend(channel, ruminateAnswer(functions, text))
	}
}

func ruminateSend(channel *ruminateOs.File, text string) {
	frame := make([]byte, 4, 4+len(text))
	ruminateBinary.LittleEndian.PutUint32(frame, uint32(len(text)))
	channel.Write(append(frame, text...))
}

func ruminateAnswer(functions map[string]interface{}, text []byte) (answer string) {
	defer func() {
		if problem := recover(); problem != nil {
			answer = `{"raise":["panic","Exception",` + ruminateQuote(ruminateFmt.Sprint(problem)) + `]}`
		}
	}()
	decoder := ruminateJson.NewDecoder(ruminateStrings.NewReader(string(text)))
	decoder.UseNumber()
	var frame ruminateFrame
	if err := decoder.Decode(&frame); err != nil {
		panic(err)
	}
	found, ok := functions[frame.On]
	if !ok {
		return `{"missing":` + ruminateQuote(frame.On) + `}`
	}
	function := ruminateReflect.ValueOf(found)
	kind := function.Type()
	if kind.NumIn() != len(frame.Args) || kind.IsVariadic() {
		panic(ruminateFmt.Sprintf("the program's function has %d parameters, the test gives %d arguments", kind.NumIn(), len(frame.Args)))
	}
	args := make([]ruminateReflect.Value, kind.NumIn())
	for i := range args {
		args[i] = ruminateReflect.New(kind.In(i)).Elem()
		ruminateDecode(frame.Args[i], args[i])
	}
	results := function.Call(args)
	if n := len(results); n > 0 {
		if problem, ok := results[n-1].Interface().(error); ok {
			return `{"raise":["error","Exception",` + ruminateQuote(problem.Error()) + `]}`
		}
		if results[n-1].Type().String() == "error" {
			results = results[:n-1]
		}
	}
	if len(results) == 1 {
		return `{"ok":` + ruminateEncode(results[0]) + `}`
	}
	values := make([]string, len(results))
	for i, result := range results {
		values[i] = ruminateEncode(result)
	}
	if len(values) == 0 {
		return `{"ok":null}`
	}
	return `{"ok":[` + ruminateStrings.Join(values, ",") + `]}`
}

// Puts a value of the test into a variable of the program's type.
func ruminateDecode(value interface{}, to ruminateReflect.Value) {
	if tagged, ok := value.(map[string]interface{}); ok && tagged["$"] == "int" {
		value = ruminateJson.Number(tagged["v"].(string))
	}
	if value == nil {
		return
	}
	mismatch := func() { panic(ruminateFmt.Sprintf("the program wants %s where the test gives %.60v", to.Type(), value)) }
	if number, ok := value.(ruminateJson.Number); ok && to.Type() == ruminateReflect.TypeOf((*ruminateBig.Int)(nil)) {
		big, ok := new(ruminateBig.Int).SetString(number.String(), 10)
		if !ok {
			mismatch()
		}
		to.Set(ruminateReflect.ValueOf(big))
		return
	}
	switch to.Kind() {
	case ruminateReflect.Bool:
		truth, ok := value.(bool)
		if !ok {
			mismatch()
		}
		to.SetBool(truth)
	case ruminateReflect.String:
		text, ok := value.(string)
		if !ok {
			mismatch()
		}
		to.SetString(text)
	case ruminateReflect.Int, ruminateReflect.Int8, ruminateReflect.Int16, ruminateReflect.Int32, ruminateReflect.Int64:
		// A rune or byte is written as text of one character.
		if text, ok := value.(string); ok && len([]rune(text)) == 1 {
			to.SetInt(int64([]rune(text)[0]))
			return
		}
		number, err := ruminateConv.ParseInt(ruminateFmt.Sprint(value), 10, 64)
		if err != nil || to.OverflowInt(number) {
			mismatch()
		}
		to.SetInt(number)
	case ruminateReflect.Uint, ruminateReflect.Uint8, ruminateReflect.Uint16, ruminateReflect.Uint32, ruminateReflect.Uint64:
		if text, ok := value.(string); ok && len(text) == 1 {
			to.SetUint(uint64(text[0]))
			return
		}
		number, err := ruminateConv.ParseUint(ruminateFmt.Sprint(value), 10, 64)
		if err != nil || to.OverflowUint(number) {
			mismatch()
		}
		to.SetUint(number)
	case ruminateReflect.Float32, ruminateReflect.Float64:
		number, err := ruminateConv.ParseFloat(ruminateFmt.Sprint(value), 64)
		if err != nil {
			mismatch()
		}
		to.SetFloat(number)
	case ruminateReflect.Ptr:
		to.Set(ruminateReflect.New(to.Type().Elem()))
		ruminateDecode(value, to.Elem())
	case ruminateReflect.Interface:
		natural := ruminateNatural(value)
		if !ruminateReflect.TypeOf(natural).AssignableTo(to.Type()) {
			mismatch()
		}
		to.Set(ruminateReflect.ValueOf(natural))
	case ruminateReflect.Slice, ruminateReflect.Array:
		items, ok := value.([]interface{})
		if !ok || to.Kind() == ruminateReflect.Array && to.Len() != len(items) {
			mismatch()
		}
		if to.Kind() == ruminateReflect.Slice {
			to.Set(ruminateReflect.MakeSlice(to.Type(), len(items), len(items)))
		}
		for i, item := range items {
			ruminateDecode(item, to.Index(i))
		}
	case ruminateReflect.Map:
		to.Set(ruminateReflect.MakeMap(to.Type()))
		for _, pair := range ruminatePairs(value, mismatch) {
			key := ruminateReflect.New(to.Type().Key()).Elem()
			// JSON has text for keys only.
			if text, ok := pair[0].(string); ok && key.Kind() != ruminateReflect.String && key.Kind() != ruminateReflect.Interface && len(text) != 1 {
				pair[0] = ruminateJson.Number(text)
			} else if ok && len(text) == 1 && text[0] >= '0' && text[0] <= '9' && key.Kind() != ruminateReflect.String {
				pair[0] = ruminateJson.Number(text)
			}
			ruminateDecode(pair[0], key)
			item := ruminateReflect.New(to.Type().Elem()).Elem()
			ruminateDecode(pair[1], item)
			to.SetMapIndex(key, item)
		}
	default:
		mismatch()
	}
}

func ruminatePairs(value interface{}, mismatch func()) [][]interface{} {
	tagged, ok := value.(map[string]interface{})
	if !ok {
		mismatch()
	}
	list, ok := tagged["v"].([]interface{})
	if !ok {
		mismatch()
	}
	pairs := make([][]interface{}, len(list))
	for i, pair := range list {
		pairs[i] = pair.([]interface{})
	}
	return pairs
}

// A value as `interface{}` would hold a literal of it.
func ruminateNatural(value interface{}) interface{} {
	switch value := value.(type) {
	case ruminateJson.Number:
		if number, err := ruminateConv.Atoi(value.String()); err == nil {
			return number
		}
		number, _ := value.Float64()
		return number
	case []interface{}:
		items := make([]interface{}, len(value))
		for i, item := range value {
			items[i] = ruminateNatural(item)
		}
		return items
	case map[string]interface{}:
		pairs := map[string]interface{}{}
		for _, pair := range ruminatePairs(value, func() { panic("a map that makes no sense") }) {
			pairs[pair[0].(string)] = ruminateNatural(pair[1])
		}
		return pairs
	}
	return value
}

// A value of the program as JSON.
func ruminateEncode(value ruminateReflect.Value) string {
	if big, ok := value.Interface().(*ruminateBig.Int); ok && big != nil {
		return `{"$":"int","v":"` + big.String() + `"}`
	}
	switch value.Kind() {
	case ruminateReflect.Bool:
		return ruminateConv.FormatBool(value.Bool())
	case ruminateReflect.String:
		return ruminateQuote(value.String())
	case ruminateReflect.Int, ruminateReflect.Int8, ruminateReflect.Int16, ruminateReflect.Int32, ruminateReflect.Int64:
		return ruminateInteger(ruminateConv.FormatInt(value.Int(), 10))
	case ruminateReflect.Uint, ruminateReflect.Uint8, ruminateReflect.Uint16, ruminateReflect.Uint32, ruminateReflect.Uint64:
		return ruminateInteger(ruminateConv.FormatUint(value.Uint(), 10))
	case ruminateReflect.Float32, ruminateReflect.Float64:
		number := value.Float()
		if ruminateMath.IsNaN(number) || ruminateMath.IsInf(number, 0) {
			return `{"$":"float","v":"` + ruminateStrings.ToLower(ruminateStrings.TrimPrefix(ruminateConv.FormatFloat(number, 'g', -1, 64), "+")) + `"}`
		}
		return ruminateConv.FormatFloat(number, 'g', -1, value.Type().Bits())
	case ruminateReflect.Ptr, ruminateReflect.Interface:
		if value.IsNil() {
			return "null"
		}
		return ruminateEncode(value.Elem())
	case ruminateReflect.Slice, ruminateReflect.Array:
		items := make([]string, value.Len())
		for i := range items {
			items[i] = ruminateEncode(value.Index(i))
		}
		return "[" + ruminateStrings.Join(items, ",") + "]"
	case ruminateReflect.Map:
		pairs := []string{}
		for _, key := range value.MapKeys() {
			pairs = append(pairs, "["+ruminateEncode(key)+","+ruminateEncode(value.MapIndex(key))+"]")
		}
		return `{"$":"dict","v":[` + ruminateStrings.Join(pairs, ",") + `]}`
	}
	return `{"$":"object","v":0,"type":` + ruminateQuote(value.Type().String()) + `}`
}

func ruminateInteger(digits string) string {
	if len(digits) < 16 {
		return digits
	}
	return `{"$":"int","v":"` + digits + `"}`
}

func ruminateQuote(text string) string {
	quoted, _ := ruminateJson.Marshal(text)
	return string(quoted)
}
