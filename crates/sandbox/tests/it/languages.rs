//! Every language: input, output, exit code, compile errors.

use libtest_mimic::Trial;
use ruminate_sandbox::{Ending, Language, Limits};

use crate::support::{run_with, test_with};

/// Programs that read two numbers, print their sum, a line to standard error, and exit with 3.
const SUMS: [(Language, &str); 11] = [
    (Language::Python, "import sys\na, b = map(int, input().split())\nprint(a + b)\nprint('err', file=sys.stderr)\nexit(3)\n"),
    (
        Language::Cpp,
        "#include <bits/stdc++.h>\nusing namespace std;\nint main() { int a, b; cin >> a >> b; cout << a + b << endl; cerr << \"err\\n\"; return 3; }\n",
    ),
    (
        Language::C,
        "#include <stdio.h>\nint main(void) { int a, b; scanf(\"%d %d\", &a, &b); printf(\"%d\\n\", a + b); fputs(\"err\\n\", stderr); return 3; }\n",
    ),
    (
        Language::Rust,
        "use std::io::Read;\nfn main() { let mut s = String::new(); std::io::stdin().read_to_string(&mut s).unwrap(); let n: i64 = s.split_whitespace().map(|x| x.parse::<i64>().unwrap()).sum(); println!(\"{n}\"); eprintln!(\"err\"); std::process::exit(3); }\n",
    ),
    (
        Language::JavaScript,
        "const fs = require('fs');\nconst [a, b] = fs.readFileSync('/dev/stdin', 'utf8').trim().split(' ').map(Number);\nconsole.log(a + b);\nconsole.error('err');\nprocess.exit(3);\n",
    ),
    (
        Language::TypeScript,
        "import * as fs from 'fs';\nconst [a, b]: number[] = fs.readFileSync(0, 'utf8').trim().split(' ').map(Number);\nconsole.log(a + b);\nconsole.error('err');\nprocess.exit(3);\n",
    ),
    (
        Language::Java,
        "import java.util.Scanner;\npublic class Sum { public static void main(String[] args) { Scanner in = new Scanner(System.in); System.out.println(in.nextInt() + in.nextInt()); System.err.println(\"err\"); System.exit(3); } }\n",
    ),
    (Language::Bash, "read a b\necho $((a + b))\necho err > /dev/stderr\nexit 3\n"),
    (
        Language::Go,
        "package main\nimport (\"fmt\"; \"os\")\nfunc main() { var a, b int; fmt.Scan(&a, &b); fmt.Println(a + b); fmt.Fprintln(os.Stderr, \"err\"); os.Exit(3) }\n",
    ),
    (Language::Php, "<?php\n[$a, $b] = explode(' ', trim(fgets(STDIN)));\necho $a + $b, \"\\n\";\nfwrite(STDERR, \"err\\n\");\nexit(3);\n"),
    (
        Language::CSharp,
        "using System;\nusing System.Linq;\nclass P { static int Main() { var x = Console.ReadLine().Split(' ').Select(int.Parse).Sum(); Console.WriteLine(x); Console.Error.WriteLine(\"err\"); return 3; } }\n",
    ),
];

pub(crate) fn tests() -> Vec<Trial> {
    SUMS.into_iter()
        .map(|(language, text)| {
            let name: &'static str = Box::leak(format!("languages::{language}_reads_prints_and_exits").into_boxed_str());
            test_with(language, name, move || {
                let finished = run_with(language, text, b"20 22\n", &Limits::default());
                let (out, err) = (String::from_utf8_lossy(&finished.stdout), String::from_utf8_lossy(&finished.stderr));
                assert_eq!((&finished.ending, &*out), (&Ending::Exited(3), "42\n"), "{err}");
                assert_eq!(err, "err\n");
                println!("{language}: {finished:?}");
            })
        })
        .collect()
}
