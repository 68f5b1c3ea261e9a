/**
 * Calls a method: its arguments come as JSON on stdin, its result leaves as JSON on descriptor 3.
 *
 * <p>All of this is at the mercy of the submission, which stands in the same file. What it writes
 * is data, compared elsewhere with a value that is not here.
 */
public class RulegradeCall {
    public static void main(String[] unused) throws Throwable {
        var request = (java.util.Map<?, ?>) new RulegradeReader(new String(System.in.readAllBytes(), "UTF-8")).value();
        Object result;
        try {
            result = call(((java.util.List<?>) request.get("args")).toArray());
        } catch (java.lang.reflect.InvocationTargetException error) {
            throw error.getCause();
        }
        var out = new StringBuilder();
        RulegradeWriter.write(result, out, 0);
        try (var file = new java.io.FileOutputStream(RulegradeDescriptor.of(3))) {
            file.write(out.toString().getBytes("UTF-8"));
        }
        System.out.flush();
        System.exit(0);
    }

    private static Object call(Object[] arguments) throws Exception {
        boolean isDefined = false;
        for (String owner : RulegradeEntry.OWNERS) {
            for (Class<?> type : named(owner)) {
                var methods = methods(type);
                for (boolean isExact : new boolean[] {true, false}) {
                    for (var method : methods) {
                        Object[] given = RulegradeTypes.fitted(method, arguments, isExact);
                        if (given != null) return method.invoke(self(type, method), given);
                    }
                }
                isDefined |= !methods.isEmpty();
            }
        }
        String method = RulegradeEntry.METHOD;
        if (isDefined) throw new IllegalArgumentException(method + " takes other arguments");
        throw new NoSuchMethodException(method);
    }

    /** The class of this name, at the top or inside another one. */
    private static java.util.List<Class<?>> named(String name) {
        var found = new java.util.ArrayList<Class<?>>();
        String home = RulegradeCall.class.getPackageName();
        String prefix = home.isEmpty() ? "" : home + ".";
        for (String outer : RulegradeEntry.CLASSES) {
            for (String full : new String[] {name, outer + "$" + name}) {
                try {
                    var type = Class.forName(prefix + full);
                    if (!found.contains(type)) found.add(type);
                } catch (ClassNotFoundException | LinkageError missing) {
                    continue;
                }
            }
        }
        return found;
    }

    private static java.util.List<java.lang.reflect.Method> methods(Class<?> type) {
        var found = new java.util.ArrayList<java.lang.reflect.Method>();
        for (var at = type; at != null && at != Object.class; at = at.getSuperclass()) {
            for (var method : at.getDeclaredMethods()) {
                if (method.getName().equals(RulegradeEntry.METHOD) && !method.isBridge()) found.add(method);
            }
        }
        found.sort(java.util.Comparator.comparing(java.lang.reflect.Method::toGenericString));
        return found;
    }

    private static Object self(Class<?> type, java.lang.reflect.Method method) throws Exception {
        method.setAccessible(true);
        if (java.lang.reflect.Modifier.isStatic(method.getModifiers())) return null;
        var constructor = type.getDeclaredConstructor();
        constructor.setAccessible(true);
        return constructor.newInstance();
    }
}
