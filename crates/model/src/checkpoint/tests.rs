use super::*;

/// A real file, named by an environment variable because it is too large to keep here.
fn real_gguf() -> Option<Checkpoint> {
    let Some(path) = std::env::var_os("RUMINATE_TEST_GGUF") else {
        println!("skipped: RUMINATE_TEST_GGUF names no file");
        return None;
    };
    Some(Checkpoint::open(Path::new(&path)).unwrap())
}

#[test]
fn scratch() {
    let Some(c) = real_gguf() else { return };
    println!("{c:?} {:?} {:?}", c.tokenizer, c.chat_template);
    let t = std::time::Instant::now();
    let mut n = 0;
    for spec in c.config.tensors() {
        let mut v = vec![0.0; spec.n_elements()];
        c.read_tensor(&spec, &mut v).unwrap();
        n += v.len();
    }
    println!("{n} {:?}", t.elapsed());
    println!("{:?}", c.tokenizer.encode("Hello  world 1234\n\n你好 <|im_end|>", false));
}
