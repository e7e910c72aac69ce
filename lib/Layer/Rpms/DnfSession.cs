using System.Globalization;
using System.Text;
using System.Text.Json;
using Layerbox.FileTree;
using Layerbox.Nspawn;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Layer.Rpms;

/// <summary>What dnf did.</summary>
internal sealed record DnfOutcome(IReadOnlyList<RpmStep> Steps, IReadOnlyList<DatabaseRpm> Installed);

/// <summary>dnf refused, or failed. The message is whole, and on one line.</summary>
internal sealed class DnfException(string message) : IOException(message);

/// <summary>
/// One run of dnf in a container: nothing of the machine but /usr, read-only; the image at /layer; no network but a socket on its own loopback, which we serve. Our
/// program in it, <c>driver.py</c>, tells what it is going to do before it does.
/// </summary>
internal sealed class DnfSession(DnfProgram dnf, string work)
{
    public const int Port = 8080;
    private const int MaxLine = 512 << 20;
    private const string DriverName = "driver.py";

    /// <summary>The image that is installed into; it may be empty.</summary>
    public required string Image { get; init; }

    /// <summary>Further binds, below /layer.</summary>
    public IReadOnlyList<ContainerBind> Binds { get; init; } = [];

    /// <summary>A folder for metadata and packages.</summary>
    public required string Cache { get; init; }

    /// <summary>Copies of packages that are not in a repository; null: there are none.</summary>
    public string? Packages { get; init; }

    public required Timestamp Epoch { get; init; }

    /// <summary>Whether the image is only looked at.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Takes over a socket that listens in the container, and serves the repositories there until it is disposed.</summary>
    public required Func<SafeFileHandle, IDisposable> Serve { get; init; }

    /// <summary>How many packages of how many are done.</summary>
    public Action<long, long>? Progress { get; init; }

    /// <param name="request">What is wanted.</param>
    /// <param name="decide">Told what would be done; whether to do it.</param>
    /// <param name="cancel">Kills everything in the container.</param>
    /// <exception cref="DnfException">dnf refused or failed.</exception>
    /// <exception cref="ContainerException">The container cannot be set up.</exception>
    public DnfOutcome Run(DnfRequest request, Func<IReadOnlyList<RpmStep>, bool> decide, CancellationToken cancel)
    {
        string scaffold = Path.Combine(work, "dnf"), complaints = Path.Combine(work, "dnf.stderr");
        MakeScaffold(scaffold);
        (SafeFileHandle input, SafeFileHandle tell) = Pipes.Make();
        (SafeFileHandle hear, SafeFileHandle output) = Pipes.Make();
        (SafeFileHandle channel, SafeFileHandle channelEnd) = MessageSockets.Make();
        using (tell)
        using (hear)
        using (channel)
        using (SafeFileHandle errors = Files.Open(complaints, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Truncate, 0x180 /* 0600 */))
        {
            RunningContainer container;
            using (input)
            using (output)
            using (channelEnd)
                container = ContainerEngine.Default.Start(Container(scaffold) with { Input = input, Output = output, Error = errors, ForwardedDescriptors = [channelEnd] });
            using (container)
            using (cancel.Register(() => container.Send(Signal.SIGKILL)))
            {
                // Somebody has to hear what becomes of it, from its start on.
                Task<ContainerResult> end = Task.Run(container.Wait, CancellationToken.None);
                DnfOutcome? outcome = null;
                DnfException? refused = null;
                using (IDisposable? served = Listen(channel))
                {
                    try
                    {
                        outcome = Converse(request, decide, tell, hear);
                    }
                    catch (DnfException e)
                    {
                        refused = e;
                    }
                }
                // Whatever it waits for now, to hear from us or to be heard, it waits in vain.
                tell.Dispose();
                hear.Dispose();
                ContainerResult result = end.GetAwaiter().GetResult();
                cancel.ThrowIfCancellationRequested();
                if (refused is not null)
                    throw refused;
                if (result.NotStarted is { } reason)
                    throw new DnfException(reason.Message);
                return outcome is not null && result.Succeeded ? outcome : throw new DnfException(Explain(complaints, result));
            }
        }
    }

    private IDisposable? Listen(SafeFileHandle channel)
    {
        byte[] message = new byte[1];
        return MessageSockets.Receive(channel, message, out SafeFileHandle? listener) > 0 && listener is not null ? Serve(listener) : null;
    }

    private DnfOutcome? Converse(DnfRequest request, Func<IReadOnlyList<RpmStep>, bool> decide, SafeFileHandle tell, SafeFileHandle hear)
    {
        IReadOnlyList<RpmStep>? steps = null;
        List<DatabaseRpm> installed = [];
        bool isDone = false;
        try
        {
            Files.Write(tell, request.ToBytes(), "dnf");
            foreach (ReadOnlyMemory<byte> line in Lines(hear))
            {
                using JsonDocument document = JsonDocument.Parse(line);
                JsonElement json = document.RootElement;
                switch (DnfEvents.Text(json, "event"))
                {
                    case "resolved":
                        steps = DnfEvents.Steps(json);
                        bool go = decide(steps);
                        isDone |= !go;
                        Files.Write(tell, go ? "go\n"u8 : "no\n"u8, "dnf");
                        break;
                    case "progress":
                        Progress?.Invoke(json.GetProperty("done").GetInt64(), json.GetProperty("total").GetInt64());
                        break;
                    case "installed":
                        installed.Add(DnfEvents.Installed(json));
                        break;
                    case "error":
                        throw new DnfException(DnfEvents.Text(json, "message")!);
                    case "done":
                        isDone = true;
                        break;
                }
            }
        }
        catch (PosixException e) when (e.Errno == Errno.EPIPE)
        {
            return null; // it has ended, and what it complained of says why
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new DnfException($"dnf's driver said what it should not: {e.Message}");
        }
        return isDone && steps is not null ? new DnfOutcome(steps, installed) : null;
    }

    private ContainerSpec Container(string scaffold) => new(scaffold, [dnf.Interpreter, $"/{DriverName}"])
    {
        // What is the same each time, and not what this machine has. Sets of texts have another order in each Python else.
        Environment =
        [
            $"PATH={ContainerSpec.DefaultPath}", "HOME=/tmp", "LC_ALL=C.UTF-8", "TZ=UTC", "PYTHONDONTWRITEBYTECODE=1", "PYTHONHASHSEED=0", "container=layerbox",
            string.Create(CultureInfo.InvariantCulture, $"SOURCE_DATE_EPOCH={Math.Max(Epoch.Seconds, 0)}"),
        ],
        ReadOnly = true,
        AllowMknod = true,
        SuppressSync = true, // the layer is synced as a whole, and thrown away when that cannot be
        Binds =
        [
            .. dnf.Binds,
            new ContainerBind(Image, DnfRequest.Root, ReadOnly),
            new ContainerBind(Cache, DnfRequest.Cache, ReadOnly: false),
            .. Packages is null ? [] : new[] { new ContainerBind(Packages, "/packages", ReadOnly: true) },
            .. Binds,
        ],
    };

    // A root of ours, into which only what is needed is mounted.
    private static void MakeScaffold(string scaffold)
    {
        foreach (string folder in (string[])["usr", "etc", "dev", "proc", "run", "sys", "tmp", "layer", "cache", "packages"])
            Directories.MakeAll(Path.Combine(scaffold, folder));
        using SafeFileHandle root = Directories.Open(scaffold);
        foreach (string name in (string[])["bin", "lib", "lib64", "sbin"])
            Files.MakeSymlink(Encoding.ASCII.GetBytes($"usr/{name}"), root, Encoding.ASCII.GetBytes(name));
        WholeFile.Write(Path.Combine(scaffold, "etc", "passwd"), "root:x:0:0:root:/root:/bin/sh\n"u8);
        WholeFile.Write(Path.Combine(scaffold, "etc", "group"), "root:x:0:\n"u8);
        using Stream driver = typeof(DnfSession).Assembly.GetManifestResourceStream(DriverName) ?? throw new InvalidOperationException($"{DriverName} is not in this program");
        byte[] bytes = new byte[driver.Length];
        driver.ReadExactly(bytes);
        WholeFile.Write(Path.Combine(scaffold, DriverName), bytes);
    }

    private static IEnumerable<ReadOnlyMemory<byte>> Lines(SafeFileHandle pipe)
    {
        byte[] buffer = new byte[64 * 1024];
        int length = 0, start = 0;
        while (true)
        {
            int end = Array.IndexOf(buffer, (byte)'\n', start, length - start);
            if (end >= 0)
            {
                yield return buffer.AsMemory(start, end - start);
                start = end + 1;
                continue;
            }
            buffer.AsSpan(start, length - start).CopyTo(buffer);
            (length, start) = (length - start, 0);
            if (length == buffer.Length)
            {
                if (length >= MaxLine)
                    throw new DnfException("dnf's driver said a line that is too long");
                Array.Resize(ref buffer, 2 * length);
            }
            int read = Files.Read(pipe, buffer.AsSpan(length), "dnf");
            if (read == 0)
                yield break;
            length += read;
        }
    }

    private static string Explain(string complaints, ContainerResult result)
    {
        string[] lines = [.. PathText.FromBytes(WholeFile.Read(complaints)).Split('\n').Where(line => line.Trim().Length > 0)];
        string last = lines is [.., var line] ? line.Trim() : "it said nothing";
        return string.Create(CultureInfo.InvariantCulture, $"dnf ended with status {result.Status}: {last}");
    }
}
