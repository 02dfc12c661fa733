pub(crate) mod kit;

mod courier;
mod dead_letter;
mod pump;
