/** Java has no public way to a descriptor that was there from the start. */
final class RulegradeDescriptor {
    static java.io.FileDescriptor of(int number) throws Exception {
        var unsafe = Class.forName("sun.misc.Unsafe");
        var only = unsafe.getDeclaredField("theUnsafe");
        only.setAccessible(true);
        var descriptor = new java.io.FileDescriptor();
        var field = java.io.FileDescriptor.class.getDeclaredField("fd");
        var offset = unsafe.getMethod("objectFieldOffset", java.lang.reflect.Field.class);
        unsafe.getMethod("putInt", Object.class, long.class, int.class)
                .invoke(only.get(null), descriptor, offset.invoke(only.get(null), field), number);
        return descriptor;
    }
}
