// Signatures of Apple's Swift Charts, as far as the app uses them.
import SwiftUI

@MainActor @preconcurrency public protocol ChartContent {}
public struct AnyMark: ChartContent {}
public struct PlottableValue<Value> {
    public static func value(_ label: LocalizedStringKey, _ value: Value) -> PlottableValue { .init() }
}
public struct PointMark: ChartContent {
    nonisolated public init<X, Y>(x: PlottableValue<X>, y: PlottableValue<Y>) {}
}
extension ChartContent {
    public func symbolSize(_ area: CGFloat) -> some ChartContent { AnyMark() }
    public func opacity(_ opacity: Double) -> some ChartContent { AnyMark() }
}
public struct Chart<Data: RandomAccessCollection, Content: ChartContent>: Primitive
where Data.Element: Identifiable {
    public init(_ data: Data, content: @escaping (Data.Element) -> Content) {}
}
public struct ScaleDomain: Sendable {
    public static func automatic(includesZero: Bool) -> ScaleDomain { .init() }
}
extension View {
    public func chartXAxisLabel(_ key: LocalizedStringKey) -> some View { AnyStub() }
    public func chartXScale(domain: ScaleDomain) -> some View { AnyStub() }
}
