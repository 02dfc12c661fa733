use super::{Replacement, Shape};

fn written(replacement: &Replacement, shape: Shape, matched: &str) -> String {
    let mut out = b">".to_vec();
    replacement.write(shape, matched.as_bytes(), &mut out);
    String::from_utf8(out).expect("valid UTF-8")
}

#[test]
fn masks_keep_what_their_shape_allows() {
    for (shape, matched, mask) in [
        (Shape::Email, "dmitri.okafor17@example.com", ">***@example.com"),
        (Shape::Email, "иван@почта.рф", ">***@почта.рф"),
        (Shape::Email, "no address", ">***"),
        (Shape::PaymentCard, "4111-1111 11111234", ">****-**** ****1234"),
        (Shape::PaymentCard, "378282246310005", ">***********0005"),
        (Shape::Opaque, "secret", ">***"),
        (Shape::Opaque, "", ">***"),
    ] {
        assert_eq!(written(&Replacement::Mask, shape, matched), mask);
    }
}

#[test]
fn a_fixed_text_stands_for_every_shape() {
    for shape in [Shape::Email, Shape::PaymentCard, Shape::Opaque] {
        assert_eq!(written(&Replacement::default(), shape, "a@b.com"), ">[REDACTED]");
    }
}
