import com.sun.source.tree.ClassTree;
import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.MethodTree;
import com.sun.source.tree.Tree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.TaskEvent;
import com.sun.source.util.TaskListener;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import javax.lang.model.element.Modifier;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.JavaFileObject.Kind;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/**
 * One Java source file to one runnable jar, in one virtual machine: javac and jar would be two.
 *
 * <p>Its public class may have any name. The program starts in the public class that has a `main`,
 * else in the first class that has one.
 */
final class CompileJava {
    private static final List<String> OPTIONS = List.of("-proc:none", "-nowarn", "-Xlint:none");

    public static void main(String[] paths) throws IOException {
        var javac = ToolProvider.getSystemJavaCompiler();
        var classes = new Classes(javac.getStandardFileManager(null, null, null));
        var source = List.of(new Source(Files.readString(Path.of(paths[0]))));
        var task = (JavacTask) javac.getTask(null, classes, null, OPTIONS, null, source);
        var main = new FindMain();
        task.addTaskListener(main);
        if (!task.call()) System.exit(1);
        if (main.found == null) {
            System.err.println("error: no class has a method `public static void main(String[])`");
            System.exit(1);
        }
        classes.writeJar(Path.of(paths[1]), main.found);
    }

    /** Looks at the parsed file before it is compiled. */
    private static final class FindMain implements TaskListener {
        private String found;

        @Override
        public void finished(TaskEvent event) {
            if (event.getKind() == TaskEvent.Kind.PARSE) found = mainClass(event.getCompilationUnit());
        }
    }

    private static String mainClass(CompilationUnitTree unit) {
        String found = null;
        for (Tree type : unit.getTypeDecls()) {
            if (!(type instanceof ClassTree) || !hasMain((ClassTree) type)) continue;
            var declared = (ClassTree) type;
            boolean isPublic = declared.getModifiers().getFlags().contains(Modifier.PUBLIC);
            if (found == null || isPublic) found = declared.getSimpleName().toString();
        }
        Tree packageName = unit.getPackageName();
        return found == null || packageName == null ? found : packageName + "." + found;
    }

    private static boolean hasMain(ClassTree type) {
        for (Tree member : type.getMembers()) {
            if (!(member instanceof MethodTree)) continue;
            var method = (MethodTree) member;
            boolean isStatic =
                    type.getKind() == Tree.Kind.INTERFACE
                            || method.getModifiers().getFlags().contains(Modifier.STATIC);
            if (isStatic
                    && method.getName().contentEquals("main")
                    && method.getParameters().size() == 1) return true;
        }
        return false;
    }

    /** The source text, which javac takes whatever its public class is called. */
    private static final class Source extends SimpleJavaFileObject {
        private final String text;

        Source(String text) {
            super(URI.create("string:///Main.java"), Kind.SOURCE);
            this.text = text;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return text;
        }

        @Override
        public boolean isNameCompatible(String simpleName, Kind kind) {
            return true;
        }
    }

    /** Keeps what javac writes in memory. */
    private static final class Classes extends ForwardingJavaFileManager<StandardJavaFileManager> {
        private final Map<String, ByteArrayOutputStream> written = new LinkedHashMap<>();

        Classes(StandardJavaFileManager files) {
            super(files);
        }

        @Override
        public JavaFileObject getJavaFileForOutput(
                Location location, String className, Kind kind, FileObject sibling) {
            String name = className.replace('.', '/') + kind.extension;
            return new SimpleJavaFileObject(URI.create("memory:///" + name), kind) {
                @Override
                public OutputStream openOutputStream() {
                    var bytes = new ByteArrayOutputStream();
                    written.put(name, bytes);
                    return bytes;
                }
            };
        }

        void writeJar(Path path, String main) throws IOException {
            var manifest = new Manifest();
            manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
            manifest.getMainAttributes().put(Attributes.Name.MAIN_CLASS, main);
            try (var jar = new JarOutputStream(Files.newOutputStream(path), manifest)) {
                jar.setLevel(Deflater.NO_COMPRESSION);
                for (var entry : written.entrySet()) {
                    jar.putNextEntry(new ZipEntry(entry.getKey()));
                    entry.getValue().writeTo(jar);
                }
            }
        }
    }
}
