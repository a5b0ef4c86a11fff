import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;

/**
 * Runs the text of a test against a program that lives in another process. Only trusted text is compiled with this: the test, and a stand-in for the
 * class that the test calls, whose head is the task's declaration. The end of a test is told by this driver alone, over a channel that the program
 * does not have. Its argument is the name of the test's class.
 */
public final class RuminateTests {
    /** The program threw an exception, or has no such method. */
    static final class ProgramError extends RuntimeException {
        ProgramError(String message) {
            super(message);
        }
    }

    public static void main(String[] arguments) throws Exception {
        RuminateDriver.open();
        RuminateDriver.receive();
        try {
            Method test = Class.forName(arguments[0]).getMethod("main", String[].class);
            test.setAccessible(true);
            test.invoke(null, (Object) new String[0]);
            end("passed", "");
        } catch (InvocationTargetException e) {
            Throwable cause = e.getCause();
            end(cause instanceof ProgramError ? "error" : "failed", cause instanceof ProgramError ? cause.getMessage() : cause + at(cause));
        }
        RuminateDriver.receive();
    }

    /** Calls the program's method and reads the value as one of the type that the stand-in declares. */
    @SuppressWarnings("unchecked")
    static <T> T call(Class<?> owner, String name, Object[] values) {
        StringJoiner list = new StringJoiner(",");
        for (Object value : values) list.add(RuminateDriver.encode(value));
        Map<String, Object> answer;
        try {
            RuminateDriver.send("Q{\"op\":\"call\",\"on\":" + RuminateDriver.encode(name) + ",\"args\":[" + list + "]}");
            answer = (Map<String, Object>) RuminateDriver.parse(RuminateDriver.receive());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        if (answer.containsKey("raise")) {
            List<Object> raise = (List<Object>) answer.get("raise");
            throw new ProgramError(raise.get(0) + ": " + raise.get(2));
        }
        if (!answer.containsKey("ok")) throw new ProgramError("the program does not define " + name);
        for (Method method : owner.getDeclaredMethods()) {
            if (method.getName().equals(name)) return (T) RuminateDriver.decode(answer.get("ok"), method.getGenericReturnType());
        }
        throw new IllegalStateException(name);
    }

    private static String at(Throwable error) {
        for (StackTraceElement element : error.getStackTrace()) {
            if (!element.getClassName().startsWith("java.") && !element.getClassName().startsWith("Ruminate")) return " at line " + element.getLineNumber();
        }
        return "";
    }

    private static void end(String kind, String reason) throws IOException {
        RuminateDriver.send("E{\"end\":\"" + kind + "\",\"reason\":" + RuminateDriver.encode(reason.substring(0, Math.min(300, reason.length()))) + "}");
    }
}
