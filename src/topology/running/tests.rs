//! Reload.
