// Signatures of Apple's SwiftUI, as far as the app uses them; written from its documentation.
// Modifiers keep their labels and isolation, and return `some View` like the real ones.
@_exported import CoreGraphics
@_exported import Foundation
@_exported import Observation
@_exported import UIKit
@_exported import UniformTypeIdentifiers

@MainActor @preconcurrency public protocol View {
    associatedtype Body: View
    @ViewBuilder @MainActor var body: Body { get }
}
extension Never: View {
    public var body: Never { fatalError() }
}
public protocol Primitive: View where Body == Never {}
extension Primitive {
    public var body: Never { fatalError() }
}
public struct EmptyView: Primitive { nonisolated public init() {} }
public struct AnyStub: Primitive { nonisolated public init() {} }
public struct TupleStub<each V: View>: Primitive { nonisolated init() {} }
public struct Either<A: View, B: View>: Primitive { nonisolated init() {} }
extension Optional: View where Wrapped: View {
    public var body: Never { fatalError() }
}
@resultBuilder public struct ViewBuilder {
    public static func buildBlock() -> EmptyView { EmptyView() }
    public static func buildBlock<V: View>(_ view: V) -> V { view }
    public static func buildBlock<each V: View>(_ view: repeat each V) -> TupleStub<repeat each V> {
        TupleStub()
    }
    public static func buildExpression<V: View>(_ view: V) -> V { view }
    public static func buildIf<V: View>(_ view: V?) -> V? { view }
    public static func buildEither<A: View, B: View>(first: A) -> Either<A, B> { Either() }
    public static func buildEither<A: View, B: View>(second: B) -> Either<A, B> { Either() }
}
@MainActor @preconcurrency public protocol Scene {
    associatedtype Body: Scene
    @MainActor var body: Body { get }
}
extension Never: Scene {}
public struct WindowGroup<Content: View>: Scene {
    public init(@ViewBuilder content: () -> Content) {}
    public var body: Never { fatalError() }
}
@MainActor @preconcurrency public protocol App {
    associatedtype Body: Scene
    @MainActor var body: Body { get }
    @MainActor init()
}
extension App {
    @MainActor public static func main() {}
}
@propertyWrapper public struct State<Value> {
    public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
    public init(initialValue: Value) { wrappedValue = initialValue }
    public var wrappedValue: Value {
        get { fatalError() }
        nonmutating set {}
    }
    public var projectedValue: Binding<Value> { fatalError() }
}
extension State: Sendable where Value: Sendable {}
extension State where Value: ExpressibleByNilLiteral {
    public init() { self.init(initialValue: nil) }
}
@propertyWrapper @dynamicMemberLookup public struct Binding<Value> {
    @preconcurrency
    public init(
        get: @escaping @isolated(any) @Sendable () -> Value,
        set: @escaping @isolated(any) @Sendable (Value) -> Void
    ) {}
    public var wrappedValue: Value {
        get { fatalError() }
        nonmutating set {}
    }
    public var projectedValue: Binding<Value> { self }
    public subscript<Subject>(
        dynamicMember keyPath: WritableKeyPath<Value, Subject>
    ) -> Binding<Subject> { fatalError() }
}
extension Binding: @unchecked Sendable where Value: Sendable {}
@propertyWrapper @dynamicMemberLookup public struct Bindable<Value: AnyObject & Observable> {
    public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
    public var wrappedValue: Value
    public var projectedValue: Bindable<Value> { self }
    public subscript<Subject>(
        dynamicMember keyPath: ReferenceWritableKeyPath<Value, Subject>
    ) -> Binding<Subject> { fatalError() }
}
public struct LocalizedStringKey: ExpressibleByStringInterpolation {
    public init(stringLiteral value: String) {}
}
public struct Text: Primitive {
    public init(_ key: LocalizedStringKey) {}
    @_disfavoredOverload public init<S: StringProtocol>(_ content: S) {}
}
public struct Image: Primitive {
    public init(decorative cgImage: CGImage, scale: CGFloat) {}
    public func resizable() -> Image { self }
}
public struct ButtonRole: Sendable { public static let cancel = ButtonRole() }
public struct Button: Primitive {
    public init(_ key: LocalizedStringKey, action: @escaping @MainActor () -> Void) {}
    @_disfavoredOverload
    public init<S: StringProtocol>(_ title: S, action: @escaping @MainActor () -> Void) {}
    public init(_ key: LocalizedStringKey, role: ButtonRole?, action: @escaping @MainActor () -> Void) {}
}
public struct Form<Content: View>: Primitive {
    public init(@ViewBuilder content: () -> Content) {}
}
public struct Group<Content> {}
extension Group: View where Content: View {
    public var body: Never { fatalError() }
    public init(@ViewBuilder content: () -> Content) {}
}
public struct VStack<Content: View>: Primitive {
    public init(alignment: HorizontalAlignment = .center, @ViewBuilder content: () -> Content) {}
}
public struct HorizontalAlignment: Sendable {
    public static let leading = HorizontalAlignment()
    public static let center = HorizontalAlignment()
}
public struct Section<Parent, Content, Footer> {}
extension Section: View where Parent: View, Content: View, Footer: View {
    public var body: Never { fatalError() }
}
extension Section where Parent == Text, Content: View, Footer == EmptyView {
    public init(_ key: LocalizedStringKey, @ViewBuilder content: () -> Content) {}
}
extension Section where Parent == EmptyView, Content: View, Footer: View {
    public init(@ViewBuilder content: () -> Content, @ViewBuilder footer: () -> Footer) {}
}
public struct LabeledContent<Content: View>: Primitive {
    public init(_ key: LocalizedStringKey, @ViewBuilder content: () -> Content) {}
}
public struct Slider: Primitive {
    public init<V: BinaryFloatingPoint>(
        value: Binding<V>, in bounds: ClosedRange<V>,
        onEditingChanged: @escaping @MainActor (Bool) -> Void = { _ in }
    ) {}
}
public struct Toggle: Primitive {
    public init(_ key: LocalizedStringKey, isOn: Binding<Bool>) {}
    @_disfavoredOverload public init<S: StringProtocol>(_ title: S, isOn: Binding<Bool>) {}
}
public struct Stepper: Primitive {
    public init<V: Strideable>(
        _ key: LocalizedStringKey, value: Binding<V>, in bounds: ClosedRange<V>,
        step: V.Stride = 1,
        onEditingChanged: @escaping @MainActor (Bool) -> Void = { _ in }
    ) {}
}
public struct Picker<Selection: Hashable, Content: View>: Primitive {
    public init(
        _ key: LocalizedStringKey, selection: Binding<Selection>,
        @ViewBuilder content: () -> Content
    ) {}
    @_disfavoredOverload
    public init<S: StringProtocol>(
        _ title: S, selection: Binding<Selection>, @ViewBuilder content: () -> Content
    ) {}
}
public struct ForEach<Data: RandomAccessCollection, ID: Hashable, Content> {}
extension ForEach: View where Content: View {
    public var body: Never { fatalError() }
    public init(_ data: Data, id: KeyPath<Data.Element, ID>, @ViewBuilder content: @escaping (Data.Element) -> Content) {}
}
extension ForEach where Content: View, Data.Element: Identifiable, ID == Data.Element.ID {
    public init(_ data: Data, @ViewBuilder content: @escaping (Data.Element) -> Content) {}
}
public struct ProgressView: Primitive {
    public init() {}
    public init(_ key: LocalizedStringKey) {}
    @_disfavoredOverload public init<S: StringProtocol>(_ title: S) {}
    public init<V: BinaryFloatingPoint>(_ key: LocalizedStringKey, value: V?, total: V = 1) {}
    @_disfavoredOverload
    public init<S: StringProtocol, V: BinaryFloatingPoint>(_ title: S, value: V?, total: V = 1) {}
}
public struct NavigationStack<Content: View>: Primitive {
    public init(@ViewBuilder root: () -> Content) {}
}
public struct TabView<Content: View>: Primitive {
    public init(@ViewBuilder content: () -> Content) {}
}
public struct Label<Title, Icon> {}
extension Label: View where Title: View, Icon: View {
    public var body: Never { fatalError() }
    public init(@ViewBuilder title: () -> Title, @ViewBuilder icon: () -> Icon) {}
}
extension Label where Title == Text, Icon == Image {
    public init(_ key: LocalizedStringKey, systemImage: String) {}
}
public struct Menu<Title: View, Content: View>: Primitive {
    public init(@ViewBuilder content: () -> Content, @ViewBuilder label: () -> Title) {}
}
public struct ContentUnavailableView<L: View, D: View, A: View>: Primitive {
    public init(
        @ViewBuilder label: () -> L, @ViewBuilder description: () -> D,
        @ViewBuilder actions: () -> A
    ) {}
}
public protocol Transferable: Sendable {}
extension Data: Transferable {}
extension URL: Transferable {}
extension Image: Transferable {}
public struct SharePreview {
    public init(_ key: LocalizedStringKey, image: Image) {}
}
public struct ShareLink: Primitive {
    public init<Item: Transferable>(item: Item, preview: SharePreview) {}
    public init(_ key: LocalizedStringKey, item: URL) {}
}
@MainActor @preconcurrency public protocol ToolbarContent {}
public struct ToolbarItemPlacement: Sendable {
    public static let primaryAction = ToolbarItemPlacement()
}
public struct ToolbarItem<Content: View>: ToolbarContent {
    public init(placement: ToolbarItemPlacement, @ViewBuilder content: () -> Content) {}
}
public struct Color: Sendable { public static let red = Color() }
public protocol ShapeStyle: Sendable {}
extension Color: ShapeStyle {}
public struct Hierarchical: ShapeStyle {}
extension ShapeStyle where Self == Hierarchical { public static var secondary: Hierarchical { .init() } }
extension ShapeStyle where Self == Color { public static var red: Color { Color() } }
public struct Font: Sendable { public static let footnote = Font() }
public enum TextAlignment: Sendable { case center }
extension View {
    public func navigationTitle(_ key: LocalizedStringKey) -> some View { AnyStub() }
    public func toolbar<C: ToolbarContent>(content: () -> C) -> some View { AnyStub() }
    public func task(
        @_inheritActorContext _ action: @escaping @Sendable () async -> Void
    ) -> some View { AnyStub() }
    public func tabItem<V: View>(@ViewBuilder _ label: () -> V) -> some View { AnyStub() }
    public func id<ID: Hashable>(_ id: ID) -> some View { AnyStub() }
    public func tag<V: Hashable>(_ tag: V) -> some View { AnyStub() }
    public func disabled(_ disabled: Bool) -> some View { AnyStub() }
    public func fileImporter(
        isPresented: Binding<Bool>, allowedContentTypes: [UTType],
        onCompletion: @escaping (Result<URL, any Error>) -> Void
    ) -> some View { AnyStub() }
    public func onChange<V: Equatable>(
        of value: V, initial: Bool = false, _ action: @escaping (V, V) -> Void
    ) -> some View { AnyStub() }
    public func onChange<V: Equatable>(
        of value: V, initial: Bool = false, _ action: @escaping () -> Void
    ) -> some View { AnyStub() }
    public func onDisappear(perform action: (() -> Void)? = nil) -> some View { AnyStub() }
    public func scaledToFit() -> some View { AnyStub() }
    public func accessibilityLabel(_ key: LocalizedStringKey) -> some View { AnyStub() }
    public func foregroundStyle<S: ShapeStyle>(_ style: S) -> some View { AnyStub() }
    public func font(_ font: Font?) -> some View { AnyStub() }
    public func multilineTextAlignment(_ alignment: TextAlignment) -> some View { AnyStub() }
    public func padding() -> some View { AnyStub() }
    public func frame(height: CGFloat?) -> some View { AnyStub() }
}
