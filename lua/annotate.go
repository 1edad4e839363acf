package lua

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/upstream"
)

// StageAnnotations is the text of annotations/stages.lua: what an editor needs
// to complete and check stage.<name>{...}. It is made of the plugins' Doc and
// of the fields of their Settings.
func StageAnnotations(plugins []core.Plugin) string {
	var b strings.Builder
	b.WriteString("---@meta stages\n-- The Go stages and their settings. Generated from the plugins.\n\n---The Go stages by name.\n---@class Stages\n")
	for _, p := range plugins {
		fmt.Fprintf(&b, "---@field %s fun(settings?: %s): Stage %s\n", p.Name, settingsClass(p), oneLine(p.Doc))
	}
	for _, p := range plugins {
		if settings := settingsType(p); settings != nil {
			fmt.Fprintf(&b, "\n---@class %s\n", settingsClass(p))
			annotateFields(&b, settings)
		}
	}
	return b.String()
}

// UpstreamAnnotations is the class UpstreamSettings in annotations/stratix.lua, made
// of the fields of upstream.Settings.
func UpstreamAnnotations() string {
	var b strings.Builder
	b.WriteString("---@class UpstreamSettings\n")
	annotateFields(&b, reflect.TypeFor[upstream.Settings]())
	return b.String()
}

// settingsType is the struct of a plugin's settings, nil if it has none.
func settingsType(p core.Plugin) reflect.Type {
	t := reflect.TypeOf(p.Settings)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func settingsClass(p core.Plugin) string {
	if settingsType(p) == nil {
		return "table"
	}
	return "stage." + p.Name
}

func annotateFields(b *strings.Builder, settings reflect.Type) {
	for i := range settings.NumField() {
		f := settings.Field(i)
		key := settingKey(f)
		if key == "" {
			continue
		}
		if !strings.HasSuffix(f.Tag.Get("lua"), ",required") {
			key += "?"
		}
		line := fmt.Sprintf("---@field %s %s %s", key, luaType(f.Type), oneLine(f.Tag.Get("doc")))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// settingKey is the key of a field of a plugin's Settings, "" for none.
func settingKey(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("lua"), ",")
	return key
}

// luaType is the annotation for what core.Config.Decode takes for a field.
func luaType(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "string"
	case reflect.TypeFor[core.Bytes]():
		return "string|integer"
	case reflect.TypeFor[[]string]():
		return "string[]"
	case reflect.TypeFor[map[string]string]():
		return "table<string, string>"
	case reflect.TypeFor[map[string]any]():
		return "table"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float64:
		return "number"
	case reflect.Interface:
		return "any"
	}
	return "integer"
}
