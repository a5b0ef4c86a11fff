//! What the tests share.

use std::sync::OnceLock;

use libtest_mimic::{Failed, Trial};
use ruminate_sandbox::{BuildError, Finished, Language, Layer, Limits, Sandbox, SandboxConfig, SandboxError, Source};

/// Argument that makes the test program a launcher.
pub(crate) const LAUNCHER_ARGUMENT: &str = "--serve-launcher";

/// Argument that makes it a trainer that will be killed.
pub(crate) const VICTIM_ARGUMENT: &str = "--victim";

/// A configuration with this program as the launcher. Where the machine does not let us limit the memory of a job, or has no Landlock,
/// that is accepted: the tests of all other layers are worth running.
pub(crate) fn config() -> SandboxConfig {
    static ALLOW: OnceLock<Vec<Layer>> = OnceLock::new();
    let config = SandboxConfig::new(std::env::current_exe().unwrap(), [LAUNCHER_ARGUMENT]);
    let allow = ALLOW.get_or_init(|| match Sandbox::start(config.clone()) {
        Err(SandboxError::BelowMinimum { missing }) => {
            let layers: Vec<Layer> = missing.iter().map(|(layer, _)| *layer).collect();
            assert!(layers.iter().all(|layer| matches!(layer, Layer::CgroupMemory | Layer::Landlock)), "{missing:?}");
            println!("this machine is below the minimum: {missing:?}");
            layers
        }
        result => {
            result.unwrap();
            Vec::new()
        }
    });
    SandboxConfig { allow: allow.clone(), ..config }
}

/// The sandbox that most tests share: they also show that an attack leaves it usable.
pub(crate) fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| Sandbox::start(SandboxConfig { slots: 2, ..config() }).unwrap())
}

/// A test by name.
pub(crate) fn test(name: &'static str, run: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, || {
        run();
        Ok::<(), Failed>(())
    })
}

/// A test that needs the toolchain of a language. Without it, it is skipped and says so.
pub(crate) fn test_with(language: Language, name: &'static str, run: impl FnOnce() + Send + 'static) -> Trial {
    test(name, move || match sandbox().toolchain(language) {
        Ok(_) => run(),
        Err(error) => println!("{name}: skipped, {error}"),
    })
}

/// Builds and runs a program.
pub(crate) fn run_with(language: Language, text: &str, stdin: &[u8], limits: &Limits) -> Finished {
    let slot = sandbox().slot();
    match slot.build(&Source::single(language, text), &Limits::compile()) {
        Ok(program) => slot.run(&program, stdin, limits).unwrap(),
        Err(BuildError::Compile(finished)) => {
            let text = [finished.stdout, finished.stderr].concat();
            panic!("{}: {}", finished.ending, String::from_utf8_lossy(&text))
        }
        Err(error) => panic!("{error}"),
    }
}
