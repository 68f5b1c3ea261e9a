/** Reads one line of JSON, which the service wrote: integers as BigInteger, other numbers as Double. */
class RulegradeReader {
    private final String text;
    private int at;

    RulegradeReader(String text) {
        this.text = text;
    }

    Object value() {
        switch (next()) {
            case '{':
                var map = new java.util.LinkedHashMap<Object, Object>();
                for (at++; next() != '}'; skip(',')) {
                    Object key = value();
                    skip(':');
                    map.put(key, value());
                }
                at++;
                return map;
            case '[':
                var list = new java.util.ArrayList<Object>();
                for (at++; next() != ']'; skip(',')) list.add(value());
                at++;
                return list;
            case '"':
                return string();
            default:
                return word();
        }
    }

    private char next() {
        while (text.charAt(at) == ' ') at++;
        return text.charAt(at);
    }

    private void skip(char mark) {
        if (next() == mark) at++;
    }

    private String string() {
        var found = new StringBuilder();
        for (at++; text.charAt(at) != '"'; at++) {
            char c = text.charAt(at);
            if (c == '\\') {
                c = text.charAt(++at);
                int known = "bfnrt".indexOf(c);
                if (known >= 0) c = "\b\f\n\r\t".charAt(known);
                if (c == 'u' && known < 0) {
                    c = (char) Integer.parseInt(text.substring(at + 1, at + 5), 16);
                    at += 4;
                }
            }
            found.append(c);
        }
        at++;
        return found.toString();
    }

    private Object word() {
        int from = at;
        while (at < text.length() && ",]} :".indexOf(text.charAt(at)) < 0) at++;
        String word = text.substring(from, at);
        switch (word) {
            case "null":
                return null;
            case "true":
            case "false":
                return word.equals("true");
            default:
                boolean isInteger = word.chars().allMatch(c -> c == '-' || c >= '0' && c <= '9');
                return isInteger ? new java.math.BigInteger(word) : (Object) Double.valueOf(word);
        }
    }
}

/** Writes plain data as JSON. */
class RulegradeWriter {
    private static final int MAX_DEPTH = 64;

    static void write(Object value, StringBuilder out, int depth) {
        if (depth > MAX_DEPTH) throw new IllegalArgumentException("the result is nested too deeply");
        if (value == null || value instanceof Boolean) {
            out.append(value);
        } else if (value instanceof CharSequence || value instanceof Character) {
            quote(value.toString(), out);
        } else if (value instanceof java.math.BigInteger) {
            out.append("{\"$int\":\"").append(((java.math.BigInteger) value).toString(16)).append("\"}");
        } else if (value instanceof Number) {
            writeNumber((Number) value, out);
        } else if (value instanceof java.util.Optional) {
            write(((java.util.Optional<?>) value).orElse(null), out, depth);
        } else if (value instanceof java.util.Map) {
            writeMap((java.util.Map<?, ?>) value, out, depth);
        } else if (value instanceof java.util.Map.Entry) {
            var pair = (java.util.Map.Entry<?, ?>) value;
            writeItems(java.util.Arrays.asList(pair.getKey(), pair.getValue()), out, depth);
        } else if (value instanceof java.util.Collection) {
            writeItems(ordered((java.util.Collection<?>) value), out, depth);
        } else if (value.getClass().isArray()) {
            var items = new java.util.ArrayList<Object>();
            for (int i = 0; i < java.lang.reflect.Array.getLength(value); i++) items.add(java.lang.reflect.Array.get(value, i));
            writeItems(items, out, depth);
        } else {
            throw new IllegalArgumentException("a value of " + value.getClass() + " is no plain data");
        }
    }

    /** NaN and Infinity as they are; a float is never written as an integer is. */
    private static void writeNumber(Number value, StringBuilder out) {
        String digits = value.toString();
        out.append(digits);
        if (value instanceof java.math.BigDecimal && digits.matches("-?[0-9]+")) out.append(".0");
    }

    /** A set without an order of its own is sorted, if it can be. */
    private static java.util.Collection<?> ordered(java.util.Collection<?> items) {
        boolean isUnordered = items instanceof java.util.Set
                && !(items instanceof java.util.SortedSet || items instanceof java.util.LinkedHashSet);
        if (!isUnordered) return items;
        try {
            return new java.util.TreeSet<Object>(items);
        } catch (ClassCastException | NullPointerException unordered) {
            return items;
        }
    }

    private static void writeItems(java.util.Collection<?> items, StringBuilder out, int depth) {
        String before = "[";
        for (Object item : items) {
            out.append(before);
            write(item, out, depth + 1);
            before = ",";
        }
        out.append(items.isEmpty() ? "[]" : "]");
    }

    private static void writeMap(java.util.Map<?, ?> map, StringBuilder out, int depth) {
        out.append("{\"$dict\":[");
        String before = "[";
        for (var pair : map.entrySet()) {
            out.append(before);
            var name = new StringBuilder();
            write(pair.getKey(), name, depth + 1);
            if (name.charAt(0) == '"') out.append(name);
            else quote(name.toString(), out);
            write(pair.getValue(), out.append(','), depth + 1);
            out.append(']');
            before = ",[";
        }
        out.append("]}");
    }

    private static void quote(String text, StringBuilder out) {
        out.append('"');
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') out.append('\\').append(c);
            else if (c < ' ' || c > '~') out.append(String.format("\\u%04x", (int) c));
            else out.append(c);
        }
        out.append('"');
    }
}
