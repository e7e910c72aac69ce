using System.CommandLine;
using System.Globalization;
using System.Text.Json;

namespace Layerbox.Cmd;

/// <summary>
/// How far a long job is, on standard error: a bar on a terminal, else a plain line now and then (so a job of a few seconds says nothing),
/// or JSON lines. Reports are cheap: whoever works may report each file. Dispose when the job ends, however it ends.
/// </summary>
internal sealed class Progress : IDisposable
{
    private static readonly TimeSpan BarPeriod = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan JsonPeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PlainPeriod = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RatePeriod = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Streams _io;
    private readonly Form _form;
    private readonly TimeSpan _period;
    private long _shown;
    private ProgressLine? _unsaid;
    private string? _rateOf;
    private double? _rate;
    private (long Time, long Done) _rateFrom;

    private Progress(Streams io, Form form)
    {
        (_io, _form) = (io, form);
        _period = form switch { Form.Bar => BarPeriod, Form.Json => JsonPeriod, _ => PlainPeriod };
        _shown = io.Clock.GetTimestamp();
    }

    private enum Form
    {
        None,
        Bar,
        Plain,
        Json,
    }

    /// <summary>The option for a tool that may take long; hand its value to <see cref="Start"/>.</summary>
    /// <param name="onTerminalOnly">As there.</param>
    public static Option<string> Option(bool onTerminalOnly = false)
    {
        Option<string> option = new("--progress")
        {
            Description = "How to report progress on standard error: auto is a bar on a terminal and " + (onTerminalOnly ? "nothing" : "a plain line now and then") + " elsewhere.",
            DefaultValueFactory = _ => "auto",
        };
        option.AcceptOnlyFromAmong("auto", "json", "none");
        return option;
    }

    /// <param name="onTerminalOnly">Says nothing elsewhere, unless JSON is asked for: for jobs that run at night.</param>
    public static Progress Start(Streams io, string? mode, bool onTerminalOnly = false) => new(io, mode switch
    {
        "json" => Form.Json,
        "none" => Form.None,
        _ => io.ErrColumns is not null ? Form.Bar : onTerminalOnly ? Form.None : Form.Plain,
    });

    /// <param name="what">What is being done, such as "import": one or two words.</param>
    /// <param name="done">How many units are done.</param>
    /// <param name="total">Of how many; null when nobody knows.</param>
    /// <param name="unit">What is counted, in the plural: "bytes" are shown as KiB and MiB.</param>
    /// <param name="files">Of bytes that come from elsewhere: files that are done, and of how many. The rate is shown, too.</param>
    public void Report(string what, long done, long? total = null, string unit = "bytes", (long Done, long Total)? files = null)
    {
        if (_form == Form.None)
            return;
        lock (_lock)
        {
            _unsaid = new ProgressLine(what, done, total, unit) { Files = files?.Done, TotalFiles = files?.Total };
            if (_io.Clock.GetElapsedTime(_shown) >= _period)
                Show();
        }
    }

    /// <summary>The same for a library that only counts.</summary>
    public Action<long> Counter(string what, long? total = null, string unit = "bytes") => done => Report(what, done, total, unit);

    /// <summary>Takes the bar away until the next report, for what is printed meanwhile.</summary>
    public void Clear()
    {
        if (_form != Form.Bar)
            return;
        lock (_lock)
        {
            _io.Err.Write("\r\x1b[K");
            _io.Err.Flush();
        }
    }

    /// <summary>Takes the bar away; JSON readers get the last state.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_form == Form.Bar)
                _io.Err.Write("\r\x1b[K");
            else if (_form == Form.Json && _unsaid is not null)
                Show();
            _io.Err.Flush();
        }
    }

    private void Show()
    {
        _shown = _io.Clock.GetTimestamp();
        ProgressLine line = _unsaid!;
        _unsaid = null;
        switch (_form)
        {
            case Form.Bar:
                _io.Err.Write($"\r{Bar(line, _io.ErrColumns ?? 80, line.Files is null ? "" : Transfer(line))}\x1b[K");
                _io.Err.Flush();
                break;
            case Form.Json:
                _io.Err.WriteLine(JsonSerializer.Serialize(line, CmdJson.Default.ProgressLine));
                break;
            default:
                _io.Err.WriteLine($"{line.Progress}: {Amount(line)}");
                break;
        }
    }

    /// <summary>Files, and the rate of the last seconds.</summary>
    private string Transfer(ProgressLine line)
    {
        long now = _io.Clock.GetTimestamp();
        if (_rateOf != line.Progress || line.Done < _rateFrom.Done)
            (_rateOf, _rate, _rateFrom) = (line.Progress, null, (now, line.Done));
        else if (_io.Clock.GetElapsedTime(_rateFrom.Time, now) is var passed && passed >= RatePeriod)
            (_rate, _rateFrom) = ((line.Done - _rateFrom.Done) / passed.TotalSeconds, (now, line.Done));
        string rate = _rate is { } bytes ? $", {Bytes((long)bytes)}/s" : "";
        return string.Create(CultureInfo.InvariantCulture, $", {line.Files} of {line.TotalFiles} files{rate}");
    }

    private static string Bar(ProgressLine line, int columns, string more)
    {
        const int Width = 24;
        string bar = line.Fraction is { } fraction ? $"[{new string('#', (int)(fraction * Width)),-Width}] " : "";
        string text = $"{line.Progress} {bar}{Amount(line)}{more}";
        return text.Length < columns ? text : text[..Math.Max(columns - 1, 0)];
    }

    private static string Amount(ProgressLine line)
    {
        string done = line.Unit == "bytes" ? Bytes(line.Done) : line.Done.ToString(CultureInfo.InvariantCulture);
        if (line.Total is not { } total)
            return line.Unit == "bytes" ? done : $"{done} {line.Unit}";
        string all = line.Unit == "bytes" ? Bytes(total) : $"{total} {line.Unit}";
        return string.Create(CultureInfo.InvariantCulture, $"{line.Fraction * 100:0}% ({done} of {all})");
    }

    private static string Bytes(long count)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        double value = count;
        int unit = 0;
        for (; value >= 1024; unit++)
            value /= 1024;
        return string.Create(CultureInfo.InvariantCulture, $"{value:0.#} {units[unit]}");
    }
}

/// <summary>A progress report as --progress json prints it.</summary>
internal sealed record ProgressLine(string Progress, long Done, long? Total, string Unit)
{
    /// <summary>Files that are done, of transfers.</summary>
    public long? Files { get; init; }

    public long? TotalFiles { get; init; }

    [System.Text.Json.Serialization.JsonIgnore]
    public double? Fraction => Total is > 0 ? Math.Clamp((double)Done / Total.Value, 0, 1) : null;
}
