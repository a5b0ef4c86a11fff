use std::collections::BTreeSet;
use std::path::Path;

use super::{documents, manifests, sources};

fn manifest(folder: &str, rest: &str) -> Vec<String> {
    let text = format!("[package]\nname = \"ruminate-{folder}\"\n{rest}");
    manifests::check(&format!("crates/{folder}/Cargo.toml"), &text).unwrap()
}

const LINTS: &str = "[lints]\nworkspace = true\n";

#[test]
fn the_workspace_is_tidy() {
    super::tidy(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap();
}

#[test]
fn edges_go_one_way() {
    let depends_on = |to: &str| format!("{LINTS}[dependencies]\nruminate-{to}.workspace = true\n");
    assert_eq!(manifest("train", &depends_on("model")), [""; 0]);
    assert_eq!(manifest("train", &depends_on("rollout")), ["train must not depend on rollout"]);
    assert_eq!(manifest("rollout", &depends_on("train")), ["rollout must not depend on train"]);
    assert_eq!(manifest("core", &depends_on("compute")), ["core must not depend on compute"]);
    assert_eq!(manifest("compute", &depends_on("core")), ["compute must not depend on core"]);
    let on_linux = format!("{LINTS}[target.'cfg(unix)'.dependencies]\nruminate-cli.workspace = true\n");
    assert_eq!(manifest("model", &on_linux), ["model must not depend on cli"]);
    // Tests may know more.
    let for_tests = format!("{LINTS}[dev-dependencies]\nruminate-train.workspace = true\n");
    assert_eq!(manifest("rollout", &for_tests), [""; 0]);
}

#[test]
fn manifests_share_lints_versions_and_names() {
    assert_eq!(manifest("core", ""), ["expected `[lints] workspace = true`"]);
    assert_eq!(manifest("core", "[lints]\nworkspace = false\n"), ["expected `[lints] workspace = true`"]);
    let versioned = format!("{LINTS}[dependencies]\nserde = \"1\"\n");
    assert_eq!(manifest("core", &versioned), ["serde: expected `workspace = true`, versions stand in the root manifest"]);
    assert_eq!(manifest("extra", LINTS), ["the crate extra is not in the table of edges of xtask tidy"]);
    let misnamed = manifests::check("crates/core/Cargo.toml", &format!("[package]\nname = \"core\"\n{LINTS}")).unwrap();
    assert_eq!(misnamed, ["expected the package name ruminate-core, found \"core\""]);
}

#[test]
fn long_files_are_found_but_not_long_tests() {
    let long = "// line\n".repeat(801);
    assert_eq!(sources::check_rust("crates/core/src/seed.rs", &long), ["expected at most 800 lines, found 801"]);
    assert_eq!(sources::check_rust("crates/core/src/seed.rs", &"// line\n".repeat(800)), [""; 0]);
    assert_eq!(sources::check_rust("crates/core/src/seed/tests.rs", &long), [""; 0]);
}

#[test]
fn names_are_reserved_for_some_crates() {
    let check = |path: &str, text: &str| sources::check_rust(path, text).len();
    for (text, n_in_train, n_in_cli, n_in_sandbox) in [
        ("use std::process::Command;\n", 1, 1, 0),
        ("use std::process::{ExitCode, Command};\n", 1, 1, 0),
        ("use std::process::ExitCode;\n", 0, 0, 0),
        ("let home = std::env::var(\"HOME\");\n", 1, 0, 1),
        ("use std::{env, fs};\n", 2, 0, 1),
        ("std::fs::read(path)\n", 1, 0, 0),
        ("use std::time::Instant;\n", 1, 0, 0),
        ("// std::time would make this irreproducible\n", 0, 0, 0),
        ("fn f() {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n", 0, 0, 0),
    ] {
        let found = ["train", "cli", "sandbox"].map(|krate| check(&format!("crates/{krate}/src/lib.rs"), text));
        assert_eq!(found, [n_in_train, n_in_cli, n_in_sandbox], "{text}");
    }
    assert_eq!(check("crates/cli/tests/it/util.rs", "use std::process::Command;\n"), 0);
}

#[test]
fn paths_of_one_machine_are_found() {
    let check = |line: &str| sources::check_text("README.md", line).len();
    for line in ["cd /home/ann/ruminate", "`/tmp/x`", "(/root/m)", "/work/x", "load(\"/Users/b/m.gguf\")", "see ../shared/x.md"] {
        assert_eq!(check(line), 1, "{line}");
    }
    for line in ["https://example.org/home/x", "runs/tmp/x", "./work/x", "--set model=PATH", "{dir}/tmp/x", "a/root/b"] {
        assert_eq!(check(line), 0, "{line}");
    }
    assert_eq!(sources::check_text("crates/cli/tests/it/util.rs", "/tmp/x"), [""; 0]);
}

#[test]
fn documents_point_to_what_exists() {
    let files: BTreeSet<String> = ["README.md", "docs/LOG.md", "docs/concepts/grpo.md"].map(str::to_owned).into();
    let code = "#[test]\nfn one_two_three_four_five() {}\n";
    let check = |text: &str| documents::check("docs/concepts/engine.md", text, &files, code);
    for text in [
        "[a](grpo.md) and [b](../LOG.md#engine)",
        "[c](../../README.md), [d](../../docs)",
        "[e](https://example.org/x), [f](#here)",
        "test `one_two_three_four_five`, key `max_new_tokens`, `--set a_b_c_d_e=1`",
    ] {
        assert_eq!(check(text), [""; 0], "{text}");
    }
    assert_eq!(check("[a](LOG.md)"), ["links to LOG.md, which does not exist"]);
    assert_eq!(check("[a](../../doc)"), ["links to ../../doc, which does not exist"]);
    assert_eq!(check("held by `one_two_three_four_six`"), ["names the test one_two_three_four_six, which does not exist"]);
}
