using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>
/// A program that keeps bytes: it is run as <c>PROGRAM put NAME</c> with the bytes on standard input, <c>PROGRAM get NAME</c> with the bytes on standard output,
/// <c>PROGRAM has NAME</c>, <c>PROGRAM list PREFIX</c> with a name a line on standard output, <c>PROGRAM delete NAME</c>. Exit status 0 is done or yes, 1 of
/// get and has is "there is none", any other is trouble, of which the last line on standard error says what it is.
/// </summary>
/// <param name="program">A path, or a name to be found in PATH.</param>
/// <param name="place">What it gets as an argument before the verb, if it is to get one.</param>
internal sealed class CommandStorage(string program, string? place = null) : ObjectStorage
{
    private const int No = 1;
    private const int MaxLine = 4096;
    private const int MaxSaid = 16 * 1024; // bytes of what is said that are looked at

    public override string Shown => place ?? program;

    public override void Put(string name, string path)
    {
        using SafeFileHandle bytes = Files.Open(path, OpenFlags.ReadOnly);
        Run("put", name, bytes, null, mayBeNo: false);
    }

    public override bool Get(string name, BytesTaker take) => Run("get", name, null, take, mayBeNo: true);

    public override bool Has(string name) => Run("has", name, null, static _ => { }, mayBeNo: true);

    public override void Delete(string name) => Run("delete", name, null, static _ => { }, mayBeNo: false);

    public override IEnumerable<string> List(string prefix)
    {
        List<string> names = [];
        List<byte> line = [];
        Run("list", prefix, null, bytes =>
        {
            foreach (byte one in bytes)
            {
                if (one != '\n')
                {
                    line.Add(one);
                    if (line.Count > MaxLine)
                        throw new InvalidDataException($"{Shown}: list: a name has more than {MaxLine} bytes");
                    continue;
                }
                string name = Encoding.UTF8.GetString([.. line]);
                if (IsName(name) && name.StartsWith(prefix, StringComparison.Ordinal))
                    names.Add(name);
                line.Clear();
            }
        }, mayBeNo: false);
        return names;
    }

    private bool Run(string verb, string name, SafeFileHandle? input, BytesTaker? take, bool mayBeNo)
    {
        using SafeFileHandle nothing = Files.Open("/dev/null", OpenFlags.ReadWrite), said = Files.OpenTemporary(Path.GetTempPath());
        (SafeFileHandle Read, SafeFileHandle Write)? output = take is null ? null : Pipes.Make();
        try
        {
            using ChildProcess child = ChildProcess.Start(new ProgramStart(program, place is null ? [verb, name] : [place, verb, name]) { Input = input ?? nothing, Output = output?.Write ?? nothing, Error = said });
            output?.Write.Dispose();
            try
            {
                byte[] buffer = new byte[1 << 16];
                while (output is { } pipe && Files.Read(pipe.Read, buffer, program) is var count and > 0)
                    take!(buffer.AsSpan(0, count));
            }
            catch
            {
                child.Kill(Signal.SIGKILL);
                child.Wait();
                throw;
            }
            ProcessExit exit = child.Wait();
            return exit.Succeeded || (mayBeNo && exit.Status == No ? false : throw new ProgramException($"{Shown} {verb} {name}", exit, LastLine(said)));
        }
        finally
        {
            output?.Read.Dispose();
            output?.Write.Dispose();
        }
    }

    private static string LastLine(SafeFileHandle said)
    {
        byte[] end = new byte[MaxSaid];
        int count = Files.ReadAt(said, end, Math.Max(0, Files.Status(said).Size - MaxSaid));
        return PathText.FromBytes(end.AsSpan(0, count)).Split('\n').LastOrDefault(line => line.Trim().Length > 0)?.Trim() ?? "";
    }
}
