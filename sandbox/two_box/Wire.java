/**
 * What both boxes of a Java task share: frames on the channel, and values that tell their types.
 *
 * <p>It stands in one file with a submission, which may have classes of any name: hence the full
 * names. Only classes of the language itself are made from what is received.
 */
final class RulegradeWire {
    static final int MAX_FRAME = 16 << 20;
    static final int MAX_DEPTH = 100;

    static final class Broken extends RuntimeException {
        Broken(String why) {
            super(why);
        }
    }

    private static final java.util.List<Class<?>> COMPONENTS =
            java.util.List.of(
                    boolean.class, byte.class, short.class, int.class, long.class, float.class,
                    double.class, char.class, String.class, Object.class, Boolean.class, Byte.class,
                    Short.class, Integer.class, Long.class, Float.class, Double.class,
                    Character.class, java.util.List.class, java.math.BigInteger.class);

    /** Those that come first win: a class of the submission's is written as what it extends. */
    private static final java.util.List<Class<?>> COLLECTIONS =
            java.util.List.of(
                    java.util.LinkedHashSet.class, java.util.TreeSet.class, java.util.HashSet.class,
                    java.util.LinkedList.class, java.util.Stack.class, java.util.Vector.class,
                    java.util.ArrayDeque.class, java.util.PriorityQueue.class,
                    java.util.ArrayList.class);

    private static final java.util.List<Class<?>> MAPS =
            java.util.List.of(
                    java.util.LinkedHashMap.class, java.util.TreeMap.class, java.util.HashMap.class);

    private final java.io.DataInputStream in;
    private final java.io.OutputStream out;

    RulegradeWire(int channel) throws Exception {
        in = new java.io.DataInputStream(new java.io.FileInputStream(RulegradeDescriptor.of(channel)));
        out = new java.io.FileOutputStream(RulegradeDescriptor.of(channel));
    }

    /** 4 bytes: length, big-endian | that many bytes. */
    void send(byte[] frame) throws java.io.IOException {
        if (frame.length > MAX_FRAME) throw new Broken("more data than a call may carry");
        out.write(java.nio.ByteBuffer.allocate(frame.length + 4).putInt(frame.length).put(frame).array());
    }

    java.io.DataInputStream receive() throws java.io.IOException {
        int size = in.readInt();
        if (size < 0 || size > MAX_FRAME) throw new Broken("more data than a call may carry");
        byte[] frame = new byte[size];
        in.readFully(frame);
        return new java.io.DataInputStream(new java.io.ByteArrayInputStream(frame));
    }

    static byte[] bytes(Object value) throws java.io.IOException {
        var bytes = new java.io.ByteArrayOutputStream();
        write(new java.io.DataOutputStream(bytes), value, 0);
        return bytes.toByteArray();
    }

    static void write(java.io.DataOutputStream out, Object value, int depth)
            throws java.io.IOException {
        if (depth > MAX_DEPTH) throw new Broken("a value is nested too deeply");
        if (out.size() > MAX_FRAME) throw new Broken("more data than a call may carry");
        if (value == null) {
            out.writeByte('N');
        } else if (value instanceof Boolean) {
            out.writeByte((Boolean) value ? 'T' : 'F');
        } else if (value instanceof Byte) {
            out.writeByte('b');
            out.writeByte((Byte) value);
        } else if (value instanceof Short) {
            out.writeByte('s');
            out.writeShort((Short) value);
        } else if (value instanceof Integer) {
            out.writeByte('i');
            out.writeInt((Integer) value);
        } else if (value instanceof Long) {
            out.writeByte('l');
            out.writeLong((Long) value);
        } else if (value instanceof Float) {
            out.writeByte('f');
            out.writeFloat((Float) value);
        } else if (value instanceof Double) {
            out.writeByte('d');
            out.writeDouble((Double) value);
        } else if (value instanceof Character) {
            out.writeByte('c');
            out.writeChar((Character) value);
        } else if (value instanceof String) {
            out.writeByte('"');
            out.writeInt(((String) value).length());
            out.writeChars((String) value);
        } else if (value instanceof java.math.BigInteger) {
            byte[] digits = ((java.math.BigInteger) value).toByteArray();
            out.writeByte('I');
            out.writeInt(digits.length);
            out.write(digits);
        } else if (value instanceof java.math.BigDecimal) {
            out.writeByte('D');
            write(out, ((java.math.BigDecimal) value).unscaledValue(), depth + 1);
            out.writeInt(((java.math.BigDecimal) value).scale());
        } else if (value instanceof java.util.Optional) {
            out.writeByte('?');
            write(out, ((java.util.Optional<?>) value).orElse(null), depth + 1);
        } else if (value.getClass().isArray()) {
            writeArray(out, value, depth);
        } else if (value instanceof java.util.Collection) {
            out.writeByte('C');
            out.writeByte(kind(value, COLLECTIONS, value instanceof java.util.Set ? 0 : 8));
            writeAll(out, ((java.util.Collection<?>) value).toArray(), depth);
        } else if (value instanceof java.util.Map) {
            out.writeByte('M');
            out.writeByte(kind(value, MAPS, 0));
            var parts = new java.util.ArrayList<Object>();
            ((java.util.Map<?, ?>) value).forEach((key, item) -> {
                parts.add(key);
                parts.add(item);
            });
            writeAll(out, parts.toArray(), depth);
        } else {
            throw new Broken("a value of " + value.getClass().getName() + " is no plain data");
        }
    }

    private static int kind(Object value, java.util.List<Class<?>> kinds, int otherwise) {
        for (int i = 0; i < kinds.size(); i++) if (kinds.get(i).isInstance(value)) return i;
        return otherwise;
    }

    private static void writeAll(java.io.DataOutputStream out, Object[] items, int depth)
            throws java.io.IOException {
        out.writeInt(items.length);
        for (Object item : items) write(out, item, depth + 1);
    }

    private static void writeArray(java.io.DataOutputStream out, Object array, int depth)
            throws java.io.IOException {
        Class<?> component = array.getClass().getComponentType();
        int dimensions = 1;
        for (; component.isArray(); component = component.getComponentType()) dimensions++;
        int known = COMPONENTS.indexOf(component);
        if (known < 0) throw new Broken("an array of " + component.getName() + " is no plain data");
        out.writeByte('A');
        out.writeByte(dimensions);
        out.writeByte(known);
        int length = java.lang.reflect.Array.getLength(array);
        out.writeInt(length);
        for (int i = 0; i < length; i++) write(out, java.lang.reflect.Array.get(array, i), depth + 1);
    }

    static Object read(java.io.DataInputStream in, int depth) throws java.io.IOException {
        if (depth > MAX_DEPTH) throw new Broken("a value is nested too deeply");
        switch (in.readByte()) {
            case 'N':
                return null;
            case 'T':
                return true;
            case 'F':
                return false;
            case 'b':
                return in.readByte();
            case 's':
                return in.readShort();
            case 'i':
                return in.readInt();
            case 'l':
                return in.readLong();
            case 'f':
                return in.readFloat();
            case 'd':
                return in.readDouble();
            case 'c':
                return in.readChar();
            case '"':
                char[] text = new char[count(in, 2)];
                for (int i = 0; i < text.length; i++) text[i] = in.readChar();
                return new String(text);
            case 'I':
                byte[] digits = new byte[count(in, 1)];
                in.readFully(digits);
                return new java.math.BigInteger(digits);
            case 'D':
                return new java.math.BigDecimal((java.math.BigInteger) read(in, depth + 1), in.readInt());
            case '?':
                return java.util.Optional.ofNullable(read(in, depth + 1));
            case 'A':
                return readArray(in, depth);
            case 'C':
                return readCollection(in, depth);
            case 'M':
                return readMap(in, depth);
            default:
                throw new Broken("a value of no kind");
        }
    }

    /** Every element takes bytes, so no count can ask for more memory than the frame did. */
    private static int count(java.io.DataInputStream in, int size) throws java.io.IOException {
        int count = in.readInt();
        if (count < 0 || count > in.available() / size) throw new Broken("more elements than bytes");
        return count;
    }

    private static Object readArray(java.io.DataInputStream in, int depth)
            throws java.io.IOException {
        int dimensions = in.readByte();
        Class<?> component = COMPONENTS.get(in.readByte());
        if (dimensions < 1 || dimensions > 8) throw new Broken("an array of no kind");
        for (int i = 1; i < dimensions; i++) component = component.arrayType();
        int length = count(in, 1);
        Object array = java.lang.reflect.Array.newInstance(component, length);
        for (int i = 0; i < length; i++) java.lang.reflect.Array.set(array, i, read(in, depth + 1));
        return array;
    }

    private static Object readCollection(java.io.DataInputStream in, int depth)
            throws java.io.IOException {
        var collection = (java.util.Collection<Object>) made(COLLECTIONS, in.readByte());
        for (int left = count(in, 1); left > 0; left--) collection.add(read(in, depth + 1));
        return collection;
    }

    private static Object readMap(java.io.DataInputStream in, int depth)
            throws java.io.IOException {
        var map = (java.util.Map<Object, Object>) made(MAPS, in.readByte());
        for (int left = count(in, 1); left > 1; left -= 2) {
            Object key = read(in, depth + 1);
            map.put(key, read(in, depth + 1));
        }
        return map;
    }

    private static Object made(java.util.List<Class<?>> kinds, int kind) {
        try {
            return kinds.get(kind).getDeclaredConstructor().newInstance();
        } catch (ReflectiveOperationException error) {
            throw new Broken("a collection of no kind");
        }
    }
}
