import PhotosUI
import StyleHarness
import StyleHarnessCoreML
import SwiftUI

/// The Paint screen: photo or camera, style, settings, and the painting.
struct PaintView: View {
    @State private var model: PaintModel
    @State private var camera = CameraModel()
    @State private var photoItem: PhotosPickerItem?
    @State private var styleItem: PhotosPickerItem?

    init(artifact: Artifact, service: InferenceService) {
        _model = State(initialValue: PaintModel(artifact: artifact, service: service))
    }

    var body: some View {
        Form {
            Section {
                picture
            } footer: {
                caption
            }
            Section("Photo") { sources }
            StyleSection(model: model, styleItem: $styleItem)
            Section("Settings") { settings }
        }
        .task { await model.load() }
        .onChange(of: photoItem) { _, item in
            camera.stop()
            load(item, asStyle: false)
        }
        .onChange(of: styleItem) { _, item in load(item, asStyle: true) }
        .onDisappear {
            camera.stop()
            model.stop()
            UIApplication.shared.isIdleTimerDisabled = false
        }
        .onChange(of: model.update != nil) { _, isIterating in
            UIApplication.shared.isIdleTimerDisabled = isIterating
        }
    }

    @ViewBuilder private var picture: some View {
        if let update = model.update {
            progress(update)
        } else if let painted = model.painted {
            Image(decorative: painted.image, scale: 1)
                .resizable()
                .scaledToFit()
                .accessibilityLabel("Painting")
            share(painted)
        } else if model.isBusy {
            ProgressView("Painting…")
        } else {
            Text("Choose a photo or use the camera.").foregroundStyle(.secondary)
        }
    }

    @ViewBuilder private func progress(_ update: PaintUpdate) -> some View {
        if let preview = update.preview {
            Image(decorative: preview, scale: 1)
                .resizable()
                .scaledToFit()
                .accessibilityLabel("Preview of the painting")
        }
        let steps = "\(update.done) of \(update.total)"
        let label = update.secondsLeft.map { "Tile \(steps), about \($0) s left" }
        ProgressView(
            label ?? "Iteration \(steps)", value: Double(update.done), total: Double(update.total)
        )
        Button("Stop", role: .cancel) { model.stop() }
    }

    @ViewBuilder private func share(_ painted: PaintedImage) -> some View {
        let image = Image(decorative: painted.image, scale: 1)
        ShareLink(item: image, preview: SharePreview("Painting", image: image))
    }

    @ViewBuilder private var caption: some View {
        if let errorMessage = model.errorMessage ?? camera.errorMessage {
            Text(errorMessage).foregroundStyle(.red)
        } else if let note = model.painted?.note {
            Text(note)
        }
    }

    @ViewBuilder private var sources: some View {
        PhotosPicker("Choose Photo…", selection: $photoItem, matching: .images)
        if !model.isOptimization {
            Button(camera.isRunning ? "Stop Camera" : "Use Camera") {
                if camera.isRunning {
                    camera.stop()
                } else {
                    camera.start { frame in
                        model.photo = frame.photo
                        model.frameSeconds = frame.seconds
                        await model.paint()
                    }
                }
            }
        }
    }

    @ViewBuilder private var settings: some View {
        LabeledContent("Strength") {
            Slider(value: $model.strength, in: 0...1) { isMoving in
                if !isMoving { repaint() }
            }
            .accessibilityLabel("Style strength")
        }
        Picker("Compute units", selection: $model.units) {
            ForEach(ComputeUnits.allCases) { Text($0.rawValue).tag($0) }
        }
        .onChange(of: model.units) { repaint() }
        if model.isOptimization {
            Stepper(
                "\(model.iterations) iterations", value: $model.iterations, in: 10...1000, step: 10
            )
            .onChange(of: model.iterations) { repaint() }
        } else if model.hasTiles == true {
            Toggle("Full size", isOn: $model.isFullSize)
                .onChange(of: model.isFullSize) { repaint() }
            LabeledContent("Stability of the camera") {
                Slider(value: $model.stability, in: 0...1)
                    .accessibilityLabel("Stability of the camera's colours over time")
            }
        } else if model.hasTiles == false {
            Text(
                "Photos are scaled to the file. To paint them at full size, export the network "
                    + "again with styleexport export --full."
            )
            .foregroundStyle(.secondary)
        }
    }

    private func repaint() {
        Task { await model.paint() }
    }

    private func load(_ item: PhotosPickerItem?, asStyle: Bool) {
        guard let item else { return }
        Task {
            let data = try? await item.loadTransferable(type: Data.self)
            await model.use(data, asStyle: asStyle)
        }
    }
}
