/**
 * The judge's box: calls the program for the stand-ins, runs the tests and reports.
 *
 * <p>Nothing counts but the report, which says `passed` only when the tests' main has returned.
 */
public final class RulegradeJudge {
    private static final List<Class<? extends Throwable>> KNOWN =
            List.of(
                    ArrayIndexOutOfBoundsException.class, StringIndexOutOfBoundsException.class,
                    IndexOutOfBoundsException.class, NumberFormatException.class,
                    IllegalArgumentException.class, IllegalStateException.class,
                    NullPointerException.class, ArithmeticException.class, ClassCastException.class,
                    UnsupportedOperationException.class, InputMismatchException.class,
                    NoSuchElementException.class, EmptyStackException.class,
                    ConcurrentModificationException.class, NegativeArraySizeException.class,
                    ArrayStoreException.class, CloneNotSupportedException.class,
                    InterruptedException.class, IOException.class, RuntimeException.class,
                    Exception.class, StackOverflowError.class, AssertionError.class, Error.class);

    private static RulegradeWire wire;
    private static boolean hasReported;
    private static boolean hasCalled;
    private static Throwable raised;

    public static void main(String[] arguments) throws Exception {
        wire = new RulegradeWire(4);
        // Test code that exits on its own has found something; nothing tells with which status.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> report("failed", "a test failed")));
        RulegradeJudge.class.getClassLoader().setDefaultAssertionStatus(true);
        try {
            RulegradeTests.run();
        } catch (Throwable error) {
            error.printStackTrace();
            if (isRaised(error)) giveUp("the program threw");
            report("failed", "a test failed");
            Runtime.getRuntime().halt(1);
        }
        if (!hasCalled) giveUp("the tests called nothing of the program");
        report("passed", "");
        Runtime.getRuntime().halt(0);
    }

    private static boolean isRaised(Throwable error) {
        for (; error != null; error = error.getCause()) if (error == raised) return true;
        return false;
    }

    private static synchronized void report(String outcome, String message) {
        if (hasReported) return;
        hasReported = true;
        String lines = "{\"plan\":[\"the tests\"]}\n{\"test\":0,\"outcome\":\"" + outcome
                + "\",\"message\":\"" + message + "\"}\n{\"done\":true,\"flags\":[]}\n";
        try (var out = new FileOutputStream(RulegradeDescriptor.of(3))) {
            out.write(lines.getBytes());
        } catch (Exception error) {
            error.printStackTrace();
        }
    }

    /** The program broke the channel, or sent what is no answer: nothing it says counts any more. */
    private static RuntimeException giveUp(String why) {
        report("error", why);
        Runtime.getRuntime().halt(1);
        throw new IllegalStateException();
    }

    /** An answer must name its question, and no question can be known before it was asked. */
    private static final Random NONCES = new Random();

    static <T> T ask(Class<T> type, int function, Object... arguments) {
        hasCalled = true;
        long nonce = NONCES.nextLong();
        try {
            var bytes = new ByteArrayOutputStream();
            var out = new DataOutputStream(bytes);
            out.writeLong(nonce);
            out.writeInt(function);
            RulegradeWire.write(out, arguments, 0);
            wire.send(bytes.toByteArray());
        } catch (IOException error) {
            throw giveUp("the program closed the channel");
        }
        return answer(type, nonce, arguments);
    }

    private static <T> T answer(Class<T> type, long nonce, Object[] arguments) {
        boolean hasReturned;
        Object first;
        Object second;
        try {
            var in = wire.receive();
            if (in.readLong() != nonce) throw giveUp("the program answered before it was asked");
            hasReturned = in.readBoolean();
            first = RulegradeWire.read(in, 0);
            second = RulegradeWire.read(in, 0);
            if (hasReturned) takeBack((List<?>) second, arguments);
            // A boxed type for a primitive one; null stands for nothing where nothing is returned.
            if (hasReturned) return first == null && type != Void.class ? null : type.cast(first);
        } catch (IOException error) {
            throw giveUp("the program closed the channel");
        } catch (UnsupportedOperationException error) {
            throw error;
        } catch (RuntimeException | StackOverflowError error) {
            throw giveUp("the program sent what is no answer");
        }
        throw rebuilt(first, second);
    }

    private static RuntimeException rebuilt(Object names, Object message) {
        Throwable error = new RuntimeException(names + ": " + message);
        found:
        for (Object name : names instanceof List ? (List<?>) names : List.of()) {
            for (var kind : KNOWN) {
                if (!kind.getName().equals(name)) continue;
                error = made(kind, String.valueOf(message));
                break found;
            }
        }
        raised = error;
        return RulegradeJudge.<RuntimeException>unchecked(error);
    }

    private static Throwable made(Class<? extends Throwable> kind, String message) {
        try {
            if (kind == AssertionError.class) return new AssertionError((Object) message);
            return kind.getConstructor(String.class).newInstance(message);
        } catch (ReflectiveOperationException withoutMessage) {
            return new RuntimeException(message);
        }
    }

    private static <E extends Throwable> RuntimeException unchecked(Throwable error) throws E {
        throw (E) error;
    }

    /** Makes of the tests' own lists, maps and arrays what the call made of its copies. */
    private static void takeBack(List<?> changed, Object[] arguments) {
        for (int i = 0; i + 1 < changed.size(); i += 2) {
            Object mine = arguments[(Integer) changed.get(i)];
            Object theirs = changed.get(i + 1);
            if (mine == null || mine.equals(theirs)) continue;
            if (mine.getClass().isArray()) {
                System.arraycopy(theirs, 0, mine, 0, java.lang.reflect.Array.getLength(mine));
            } else if (mine instanceof Map) {
                ((Map<Object, Object>) mine).clear();
                ((Map<Object, Object>) mine).putAll((Map<?, ?>) theirs);
            } else if (mine instanceof Collection) {
                ((Collection<Object>) mine).clear();
                ((Collection<Object>) mine).addAll((Collection<?>) theirs);
            }
        }
    }
}
