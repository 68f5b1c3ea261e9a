/** Makes of JSON's values what a method declares. */
class RulegradeTypes {
    private static final java.util.List<Class<?>> COLLECTIONS =
            java.util.List.of(
                    java.util.ArrayList.class, java.util.LinkedHashSet.class, java.util.TreeSet.class,
                    java.util.LinkedList.class);
    private static final java.util.List<Class<?>> MAPS =
            java.util.List.of(java.util.LinkedHashMap.class, java.util.TreeMap.class);

    private final boolean isExact;

    private RulegradeTypes(boolean isExact) {
        this.isExact = isExact;
    }

    private static final class NoFit extends RuntimeException {}

    /** The arguments as the method takes them; null if it does not. An exact fit: no integer as a float. */
    static Object[] fitted(java.lang.reflect.Method method, Object[] arguments, boolean isExact) {
        var types = method.getGenericParameterTypes();
        if (method.isVarArgs()) arguments = gathered(arguments, types.length - 1);
        if (types.length != arguments.length) return null;
        var given = new Object[types.length];
        try {
            for (int i = 0; i < given.length; i++) given[i] = new RulegradeTypes(isExact).fit(arguments[i], types[i]);
        } catch (NoFit | ReflectiveOperationException | ClassCastException | ArithmeticException no) {
            return null;
        }
        return given;
    }

    /** The last ones as a list, unless the last one is a list already. */
    private static Object[] gathered(Object[] arguments, int fixed) {
        boolean isGathered = arguments.length == fixed + 1 && arguments[fixed] instanceof java.util.List;
        if (isGathered || arguments.length < fixed) return arguments;
        var all = java.util.Arrays.copyOf(arguments, fixed + 1);
        all[fixed] = java.util.Arrays.asList(java.util.Arrays.copyOfRange(arguments, fixed, arguments.length));
        return all;
    }

    private Object fit(Object value, java.lang.reflect.Type type) throws ReflectiveOperationException {
        if (type instanceof java.lang.reflect.WildcardType) {
            var wildcard = (java.lang.reflect.WildcardType) type;
            var lower = wildcard.getLowerBounds();
            return fit(value, lower.length > 0 ? lower[0] : wildcard.getUpperBounds()[0]);
        }
        if (type instanceof java.lang.reflect.TypeVariable) {
            return fit(value, ((java.lang.reflect.TypeVariable<?>) type).getBounds()[0]);
        }
        if (type instanceof java.lang.reflect.GenericArrayType) {
            return array(value, ((java.lang.reflect.GenericArrayType) type).getGenericComponentType());
        }
        java.lang.reflect.Type[] inner = {Object.class, Object.class};
        if (type instanceof java.lang.reflect.ParameterizedType) {
            inner = ((java.lang.reflect.ParameterizedType) type).getActualTypeArguments();
        }
        return fit(value, raw(type), inner);
    }

    private static Class<?> raw(java.lang.reflect.Type type) {
        if (type instanceof Class) return (Class<?>) type;
        if (type instanceof java.lang.reflect.ParameterizedType) {
            return raw(((java.lang.reflect.ParameterizedType) type).getRawType());
        }
        if (type instanceof java.lang.reflect.GenericArrayType) {
            var component = ((java.lang.reflect.GenericArrayType) type).getGenericComponentType();
            return raw(component).arrayType();
        }
        return Object.class;
    }

    private Object fit(Object value, Class<?> type, java.lang.reflect.Type[] inner)
            throws ReflectiveOperationException {
        if (type == java.util.Optional.class) {
            return value == null ? java.util.Optional.empty() : java.util.Optional.of(fit(value, inner[0]));
        }
        if (value == null) {
            if (type.isPrimitive()) throw new NoFit();
            return null;
        }
        if (type == Object.class) return natural(value);
        if (type == boolean.class) return (Boolean) value;
        if (type == char.class || type == Character.class) return character((String) value);
        if (type.isPrimitive() || Number.class.isAssignableFrom(type)) return number((Number) value, type);
        if (type.isInstance(value) && !(value instanceof java.util.List || value instanceof java.util.Map)) return value;
        if (type.isArray()) return array(value, type.getComponentType());
        if (value instanceof java.util.Map) return map((java.util.Map<?, ?>) value, made(type, MAPS), inner);
        return collection((java.util.List<?>) value, made(type, COLLECTIONS), inner[0]);
    }

    /** What an untyped place holds: the smallest of int, long and BigInteger, and lists of such. */
    private Object natural(Object value) throws ReflectiveOperationException {
        if (value instanceof java.math.BigInteger) {
            var number = (java.math.BigInteger) value;
            if (number.bitLength() < 32) return number.intValue();
            return number.bitLength() < 64 ? (Object) number.longValue() : number;
        }
        if (value instanceof java.util.List) return fit(value, java.util.List.class);
        if (value instanceof java.util.Map) return fit(value, java.util.Map.class);
        return value;
    }

    private static char character(String text) {
        if (text.length() != 1) throw new NoFit();
        return text.charAt(0);
    }

    private Object number(Number value, Class<?> type) {
        boolean isInteger = value instanceof java.math.BigInteger;
        if (type == double.class || type == Double.class || type == float.class || type == Float.class) {
            if (isInteger && isExact) throw new NoFit();
            if (type == float.class || type == Float.class) return value.floatValue();
            return value.doubleValue();
        }
        if (type == java.math.BigDecimal.class) return new java.math.BigDecimal(value.toString());
        if (type == Number.class && !isInteger) return value;
        var integer = (java.math.BigInteger) value;
        if (type == int.class || type == Integer.class) return integer.intValueExact();
        if (type == long.class || type == Long.class) return integer.longValueExact();
        if (type == short.class || type == Short.class) return integer.shortValueExact();
        if (type == byte.class || type == Byte.class) return integer.byteValueExact();
        return type.cast(integer);
    }

    private Object array(Object value, java.lang.reflect.Type component) throws ReflectiveOperationException {
        var items = (java.util.List<?>) value;
        Object array = java.lang.reflect.Array.newInstance(raw(component), items.size());
        int at = 0;
        for (Object item : items) java.lang.reflect.Array.set(array, at++, fit(item, component));
        return array;
    }

    private Object collection(java.util.List<?> items, Object made, java.lang.reflect.Type inner)
            throws ReflectiveOperationException {
        var collection = (java.util.Collection<Object>) made;
        for (Object item : items) collection.add(fit(item, inner));
        return collection;
    }

    /** Keys are text in JSON, whatever they are here. */
    private Object map(java.util.Map<?, ?> pairs, Object made, java.lang.reflect.Type[] inner)
            throws ReflectiveOperationException {
        var map = (java.util.Map<Object, Object>) made;
        for (var pair : pairs.entrySet()) {
            var key = raw(inner[0]);
            boolean isText = key.isAssignableFrom(String.class) || key == Character.class;
            Object name = isText ? pair.getKey() : new RulegradeReader((String) pair.getKey()).value();
            map.put(fit(name, inner[0]), fit(pair.getValue(), inner[1]));
        }
        return map;
    }

    /** A new collection of this type, or of the first kind that is one. */
    private static Object made(Class<?> type, java.util.List<Class<?>> kinds) throws ReflectiveOperationException {
        for (var kind : kinds) if (type.isAssignableFrom(kind)) return kind.getDeclaredConstructor().newInstance();
        if (type.isInterface()) throw new NoFit();
        return type.getDeclaredConstructor().newInstance();
    }
}
