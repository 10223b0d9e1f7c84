/// Numbers of 16 bits (IEEE 754 binary16); Swift's own type is not on every Mac.
public enum HalfFloat {
    /// Return the number that some bits are.
    public static func float(ofBits bits: UInt16) -> Float {
        let sign: Float = bits & 0x8000 == 0 ? 1 : -1
        let exponent = Int(bits >> 10 & 0x1F)
        let fraction = Float(bits & 0x3FF)
        switch exponent {
        case 0: return sign * fraction * 0x1p-24
        case 0x1F: return fraction == 0 ? sign * .infinity : .nan
        default:
            let power = Float(sign: .plus, exponent: exponent - 15, significand: 1)
            return sign * (1 + fraction / 1024) * power
        }
    }
}
