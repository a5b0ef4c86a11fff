mod build;
mod damage;
mod folders;
mod gguf_files;

pub(crate) use self::build::GgufBuilder;
